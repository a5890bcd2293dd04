"""A network that becomes a law: the seed of every model here.

``p(y | x) = N(loc(x), scale(x))`` is a network followed by a family: the network turns ``x`` into numbers, the family
turns those numbers into a law over ``y``. An encoder is a conditional law (``x`` to ``q(z | x)``), a decoder is one
(``z`` to ``p(x | z)``), a regression with uncertainty is one. There is no other way from a network to a law.

What else is known about an example (its class, other columns) is a :class:`Condition`: ``p(y | x, c)``.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from reparam.errors import UsageError

__all__ = ["Condition", "Conditional", "Family", "GivenConditional"]


class Family(Protocol):
    """Turns the outputs of a network into a law over one example.

    ``num_outputs`` says how many numbers the network has to give along dimension 1 for examples that have
    ``num_values`` there (columns of a table, channels of an image, latent dimensions).
    """

    def num_outputs(self, num_values: int, /) -> int: ...

    def __call__(self, outputs: Tensor, /) -> Distribution: ...


class Condition(NamedTuple):
    """What is known about each example besides itself.

    Shapes:
        features: ``[B, C]``, what networks see: one-hot classes, scaled columns.
        exposure: ``[B]``, positive, or ``None``: what expected counts are proportional to, such as the library size of
            a cell; families of counts take it, and no network sees it.
    """

    features: Tensor
    exposure: Tensor | None = None

    def repeated(self, num_rows: int) -> "Condition":
        """The condition of ``num_rows`` rows, a multiple of ``B``: the examples over and over again.

        Raises:
            UsageError: not a multiple.
        """
        times, left = divmod(num_rows, len(self.features))
        if left or not times:
            raise UsageError(
                f"a condition of {len(self.features)} rows is known for as many examples or a multiple of it, got "
                f"{num_rows} rows"
            )
        return Condition(self.features.repeat(times, 1), None if self.exposure is None else self.exposure.repeat(times))

    def take(self, rows: Tensor | slice) -> "Condition":
        """The condition of some rows, in their order."""
        return Condition(self.features[rows], None if self.exposure is None else self.exposure[rows])


class Conditional(nn.Module):
    """The conditional law ``p(y | x)``: ``family(network(x))``.

    Parameters of the law are never in a half type, whatever the precision the network runs in: log densities and KL
    divergences are computed in float32 at least.

    Shapes:
        x: whatever the network takes, batch first. The law has batch shape ``[B]`` and the event shape of one example.

    Args:
        network: any module; its output has ``family.num_outputs(...)`` numbers along dimension 1. With a condition it
            is given ``x`` with the condition's features appended along dimension 1, constant along the others.
        family: what turns the outputs into a law, e.g. :class:`reparam.vae.DiagonalNormal`.
        view: what the network is shown of ``x``, e.g. logarithms of counts; ``x`` itself if left out.

    Example:
        >>> import torch
        >>> from reparam.vae import Condition, Conditional, DiagonalNormal
        >>> regression = Conditional(torch.nn.Linear(3, 2 * 1), DiagonalNormal())
        >>> law = regression(torch.zeros(5, 3))
        >>> law.log_prob(torch.zeros(5, 1)).shape      # nats, one number an example
        torch.Size([5])
        >>> regression(torch.zeros(5, 1), Condition(torch.ones(5, 2))).mean.shape
        torch.Size([5, 1])
    """

    def __init__(self, network: nn.Module, family: Family, view: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network
        self.family = family
        self.view = nn.Identity() if view is None else view

    def forward(self, x: Tensor, condition: Condition | None = None) -> Distribution:
        """The law of ``y`` given ``x``, and the condition if there is one.

        Args:
            x: ``[B, ...]``.
            condition: of the same ``B`` rows, or of a divisor of it: then the rows are the examples over and over.
        """
        return self.law(self.outputs(x, condition), condition)

    def outputs(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        """What the network says of ``x``, in the precision it runs in: the first half of :meth:`forward`."""
        x = self.view(x)
        if condition is not None:
            features = condition.repeated(len(x)).features
            planes = features[(..., *[None] * (x.dim() - 2))].expand(*features.shape, *x.shape[2:])
            x = torch.cat([x, planes.to(x.dtype)], dim=1)
        outputs: Tensor = self.network(x)
        return outputs

    def law(self, outputs: Tensor, condition: Condition | None = None) -> Distribution:
        """The law with these outputs of the network: the second half of :meth:`forward`."""
        wide = outputs.float() if outputs.dtype.itemsize < 4 else outputs
        if condition is None or condition.exposure is None:
            return self.family(wide)
        return self.family(wide, condition.repeated(len(outputs)).exposure)  # type: ignore[call-arg]

    def given(self, condition: Condition) -> "GivenConditional":
        """The law of ``y`` when the condition of each example is known."""
        return GivenConditional(self, condition)


@dataclass(frozen=True)
class GivenConditional:
    """A :class:`Conditional` with the condition of a batch filled in; made by :meth:`Conditional.given`."""

    conditional: Conditional
    condition: Condition

    def __call__(self, x: Tensor) -> Distribution:
        """See :meth:`Conditional.forward`."""
        law: Distribution = self.conditional(x, self.condition)
        return law

    def outputs(self, x: Tensor) -> Tensor:
        """See :meth:`Conditional.outputs`."""
        return self.conditional.outputs(x, self.condition)

    def law(self, outputs: Tensor) -> Distribution:
        """See :meth:`Conditional.law`."""
        return self.conditional.law(outputs, self.condition)
