"""Normalising flows: priors that learn the shape of the latent space, and posteriors that are no longer diagonal.

A flow is a chain of invertible steps, each made by a small network; the density of what comes out follows from that of
what went in (:class:`reparam.distributions.Transformed`). The steps are zuko's, which is imported when a flow is made;
what is here is their order, their start at the identity, and their precision. Which way a step is cheap decides what
it is good for:

- *coupling* steps (Dinh et al. 2017, arXiv:1605.08803; with splines Durkan et al. 2019, arXiv:1906.04032) are cheap
  both ways: a prior needs the density of any z and, at the end, draws;
- *inverse autoregressive* steps (Kingma et al. 2016, arXiv:1606.04934) are richer, and cheap forward only: a posterior
  needs draws and the density of those (``distributions.rsample_with_log_prob``). The density of any other z takes one
  pass of each network for every dimension.

Shape letters: B batch, D latent.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import constraints

from reparam.distributions import Independent, Normal, Transformed
from reparam.errors import ParameterError, UsageError, whole_number
from reparam.vae.posteriors import DiagonalNormal
from reparam.vae.priors import StandardNormal

__all__ = ["FlowFamily", "FlowPrior"]

_BINS = 4
# The least slope of a spline at its knots; the largest is 1 / 0.05. Much steeper, and float32 could not invert it.
_SPLINE_SLOPE = 0.05
_LEAST_SCALE = 0.1  # of an affine step; the largest is 1 / 0.1


class FlowPrior(nn.Module):
    """A prior that can take any shape: ``log p(z) = log N(f(z); 0, I) + log |det ∂f/∂z|``.

    f alternates linear steps, which hold the correlations, with coupling steps, which bend half of the dimensions as
    the other half says. It starts at the identity, so that the first prior is N(0, I). A density takes one pass, and so
    does a draw.

    Shapes:
        the law has batch shape ``[]`` and event shape ``[D]``.

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.
        kind: ``"spline"`` bends with monotone splines between -5 and 5; ``"realnvp"`` shifts and scales.
        num_transforms: how many pairs of a linear and a coupling step; None takes 2 of splines, 4 of ``"realnvp"``.
        hidden: sizes of the hidden layers of each coupling network.

    Raises:
        UsageError: zuko is not installed.
        ParameterError: an argument is not what it must be.

    Example:
        >>> prior, z = FlowPrior(3), torch.tensor([[0.5, -1.0, 2.0]])
        >>> torch.allclose(prior().log_prob(z), StandardNormal(3)().log_prob(z))  # before training
        True
    """

    def __init__(
        self,
        latent_dim: int,
        kind: Literal["spline", "realnvp"] = "spline",
        *,
        num_transforms: int | None = None,
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__()
        pairs = _num_transforms("FlowPrior", kind, {"spline": 2, "realnvp": 4}, num_transforms)
        _check_sizes("FlowPrior", latent_dim=latent_dim, hidden=hidden)
        steps: list[nn.Module] = []
        for index in range(pairs):
            steps += [_Linear(latent_dim), _coupling(latent_dim, 0, index, kind == "spline", hidden)]
        self.noise = StandardNormal(latent_dim)
        self.flow = _Flow(steps)

    def forward(self) -> Transformed:
        """The law, with batch shape ``[]`` and event shape ``[D]``."""
        return Transformed(self.noise(), self.flow(None).inv, validate_args=False)


class FlowFamily(nn.Module):
    """A posterior that can take any shape: ``z = loc + scale · f(ε; context)``, f a flow, ``ε ~ N(0, I)``.

    Of the outputs of the network, the first ``2·D`` are those of :class:`DiagonalNormal`; the rest is the context that
    every step of the flow sees. Location and scale come last, so that f bends noise of one size wherever z lies. f
    starts at the identity: outputs of 0 give the standard Normal.

    Draw with ``distributions.rsample_with_log_prob``: what an objective needs, at the price of the draw. With
    ``"iaf"`` the ``log_prob`` of other values takes D passes.

    Shapes:
        outputs: ``[B, 2·D + context_dim]``; the law has batch shape ``[B]`` and event shape ``[D]``.

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.
        kind: ``"iaf"``, inverse autoregressive shifts and scales; ``"spline"``, coupling steps of monotone splines
            between -5 and 5, cheap both ways.
        num_transforms: how many steps; None takes 2.
        context_dim: how many outputs of the network the steps see; may be 0.
        hidden: sizes of the hidden layers of each step.

    Raises:
        UsageError: zuko is not installed.
        ParameterError: an argument, or the shape of the outputs, is not what it must be.

    Example:
        >>> family = FlowFamily(3, context_dim=8)
        >>> law = family(torch.zeros(4, family.num_outputs(3)))
        >>> law.batch_shape, law.event_shape
        (torch.Size([4]), torch.Size([3]))
    """

    def __init__(
        self,
        latent_dim: int,
        kind: Literal["iaf", "spline"] = "iaf",
        *,
        num_transforms: int | None = None,
        context_dim: int = 16,
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__()
        count = _num_transforms("FlowFamily", kind, {"iaf": 2, "spline": 2}, num_transforms)
        _check_sizes("FlowFamily", latent_dim=latent_dim, hidden=hidden)
        self.latent_dim = latent_dim
        self.context_dim = whole_number("FlowFamily: context_dim", context_dim, least=0, error=ParameterError)
        self.diagonal = DiagonalNormal()
        if kind == "iaf":
            steps = [_autoregressive(latent_dim, context_dim, index, hidden) for index in range(count)]
        else:
            steps = [_coupling(latent_dim, context_dim, index, True, hidden) for index in range(count)]
        self.flow = _Flow(steps)

    def num_outputs(self, num_values: int) -> int:
        """How many outputs along dimension 1 the network gives: ``2·D + context_dim``, for ``num_values = D``.

        Raises:
            ParameterError: ``num_values`` is not ``latent_dim``.
        """
        if num_values != self.latent_dim:
            raise ParameterError(
                f"FlowFamily: made for {self.latent_dim} latent dimension(s), asked about {num_values}; make it with "
                f"latent_dim={num_values}"
            )
        return 2 * num_values + self.context_dim

    def forward(self, outputs: Tensor) -> Transformed:
        """The law with these parameters."""
        wanted = self.num_outputs(self.latent_dim)
        if outputs.dim() != 2 or outputs.shape[1] != wanted:
            raise ParameterError(f"FlowFamily: outputs must have shape [B, {wanted}]; got {list(outputs.shape)}")
        parameters, context = outputs.split([2 * self.latent_dim, self.context_dim], 1)
        placed = self.diagonal(parameters).base_dist
        noise = Normal(torch.zeros_like(placed.loc), torch.ones_like(placed.scale), validate_args=False)
        last = td.AffineTransform(placed.loc, placed.scale, event_dim=1)
        transform = self.flow(context if self.context_dim else None, last)
        return Transformed(Independent(noise, 1, validate_args=False), transform, validate_args=False)


class _Flow(nn.Module):
    """Steps one after another; called with a context, and what comes after them, it gives the transform."""

    def __init__(self, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, context: Tensor | None, *last: td.Transform) -> td.Transform:
        steps = (step(context) for step in self.steps)
        return _FullPrecision(_zuko().transforms.ComposedTransform(*steps, *last))


class _FullPrecision(td.Transform):
    """A transform of vectors as it is outside of autocast, whose half precision no density survives."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``f(x)`` and ``log |det ∂f/∂x|``, by one pass."""
        with torch.autocast(x.device.type, enabled=False):
            both: tuple[Tensor, Tensor] = self.transform.call_and_ladj(x)
            return both

    def _call(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            y: Tensor = self.transform(x)
            return y

    def _inverse(self, y: Tensor) -> Tensor:
        with torch.autocast(y.device.type, enabled=False):
            x: Tensor = self.transform.inv(y)
            return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """``log |det ∂f/∂x|``."""
        return self.call_and_ladj(x)[1]


class _Linear(nn.Module):
    """``L·U·x + b``, at first x; L with a positive diagonal, that of U is 1."""

    def __init__(self, num_dims: int) -> None:
        super().__init__()
        self.off_diagonal = nn.Parameter(torch.zeros(num_dims, num_dims))
        self.log_diagonal = nn.Parameter(torch.zeros(num_dims))
        self.shift = nn.Parameter(torch.zeros(num_dims))

    def forward(self, _: Tensor | None) -> td.Transform:
        transforms = _zuko().transforms
        off_diagonal = self.off_diagonal - self.off_diagonal.diagonal().diag_embed()
        matrix = off_diagonal + self.log_diagonal.exp().diag_embed()
        made: td.Transform = transforms.ComposedTransform(
            transforms.LULinearTransform(matrix), transforms.AdditiveTransform(self.shift)
        )
        return made


def _coupling(num_dims: int, context_dim: int, index: int, spline: bool, hidden: Sequence[int]) -> nn.Module:
    """Every other dimension is transformed as the rest says; which ones, alternates with ``index``."""
    zuko = _zuko()
    options: dict[str, Any] = {"univariate": partial(zuko.transforms.MonotonicAffineTransform, slope=_LEAST_SCALE)}
    if spline:
        options["univariate"] = partial(zuko.transforms.MonotonicRQSTransform, slope=_SPLINE_SLOPE)
        options["shapes"] = [(_BINS,), (_BINS,), (_BINS - 1,)]
    mask = torch.arange(num_dims) % 2 == index % 2
    step = zuko.flows.coupling.GeneralCouplingTransform(
        num_dims, context_dim, mask, hidden_features=hidden, activation=nn.SiLU, **options
    )
    return _starting_at_identity(step)


def _autoregressive(num_dims: int, context_dim: int, index: int, hidden: Sequence[int]) -> nn.Module:
    """Each dimension is shifted and scaled as the ones before it say; their order alternates with ``index``."""
    zuko = _zuko()
    order = torch.arange(num_dims)
    step = zuko.flows.autoregressive.MaskedAutoregressiveTransform(
        num_dims,
        context_dim,
        order=order.flip(0) if index % 2 else order,
        univariate=partial(zuko.transforms.MonotonicAffineTransform, slope=_LEAST_SCALE),
        hidden_features=hidden,
        activation=nn.SiLU,
    )
    return _starting_at_identity(step)


def _starting_at_identity(step: Any) -> nn.Module:
    # One dimension without a context has parameters instead of a network.
    for parameter in step.hyper[-1].parameters() if hasattr(step, "hyper") else step.parameters():
        nn.init.zeros_(parameter)
    made: nn.Module = step
    return made


def _zuko() -> Any:
    try:
        import zuko
    except ImportError as error:
        raise UsageError("normalising flows need zuko: pip install 'reparam[flows]'") from error
    return zuko


def _num_transforms(who: str, kind: str, defaults: dict[str, int], given: int | None) -> int:
    if kind not in defaults:
        raise ParameterError(f"{who}: kind must be {' or '.join(map(repr, defaults))}; got {kind!r}")
    return defaults[kind] if given is None else whole_number(f"{who}: num_transforms", given, error=ParameterError)


def _check_sizes(who: str, *, latent_dim: int, hidden: Sequence[int]) -> None:
    whole_number(f"{who}: latent_dim", latent_dim, error=ParameterError)
    if not isinstance(hidden, Sequence) or not all(type(size) is int and size >= 1 for size in hidden):
        raise ParameterError(f"{who}: hidden must be sizes of layers, such as (64, 64); got {hidden!r}")
