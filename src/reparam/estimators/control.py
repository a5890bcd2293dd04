"""Control variates: what is known exactly is taken out of f before it is estimated, and put back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError, whole_number
from reparam.estimators.base import Estimator, Function, Integrand

__all__ = ["ControlVariate", "best_coefficient"]


class ControlVariate(Estimator):
    """``E(f - c·h) + c·E h``: h is a function like f whose expectation is known; any estimator does the first part.

    For any law and any f that the other estimator takes, and as unbiased as that. It costs its evaluations of f, and as
    many of h. The variance of the gradient is a parabola in c, with its lowest point at ``cov(g_f, g_h)/var(g_h)``,
    which :func:`best_coefficient` measures; there ``1 - ρ²`` of it is left, ρ the correlation of both gradients.

    Args:
        estimator: what estimates ``E(f - c·h)``.
        function: h, from draws to values of the shape of f's. A quadratic approximation of f, say.
        mean: from the law, as it was given to ``expectation``, to ``E h``, exact and differentiable; shape ``[*b]``.
        coefficient: c, a number or a tensor that broadcasts against f's values; it is held fixed.

    Raises:
        EstimatorError: ``estimator`` is none, or ``function`` or ``mean`` is no function.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Normal
        >>> from reparam.estimators import Pathwise
        >>> square = ControlVariate(Pathwise(), lambda y: y**2, lambda law: law.loc**2 + law.scale**2)
        >>> loc = torch.tensor(1.0, requires_grad=True)
        >>> value = expectation(lambda y: y**2 + 3, Normal(loc, 0.5), estimator=square)  # all but a constant is known
        >>> value, torch.autograd.grad(value, loc)[0]
        (tensor(4.2500, grad_fn=<AddBackward0>), tensor(2.))

    Source: Paisley, Blei & Jordan, arXiv:1206.6430; Mohamed, Rosca, Figurnov & Mnih, arXiv:1906.10652, section 7.
    """

    def __init__(
        self,
        estimator: Estimator,
        function: Function,
        mean: Callable[[td.Distribution], Tensor],
        coefficient: Tensor | float = 1.0,
    ) -> None:
        if not isinstance(estimator, Estimator):
            raise EstimatorError(f"estimator must be one of reparam.estimators, such as Pathwise(); got {estimator!r}")
        for name, given in (("function", function), ("mean", mean)):
            if not callable(given):
                raise EstimatorError(f"{name} must be a function; got {given!r} ({type(given).__name__})")
        self.estimator, self.function, self.mean = estimator, function, mean
        self.coefficient = coefficient.detach() if isinstance(coefficient, Tensor) else coefficient
        self.unbiased = estimator.unbiased

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", repr(self.function))
        return f"ControlVariate({self.estimator!r}, {name}, coefficient={self.coefficient!r})"

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return self.estimator.refusal(law)

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`.

        Raises:
            EstimatorError: h or its expectation has another shape than f.
        """
        control = Integrand(self.function, law)

        def difference(draws: Tensor) -> Tensor:
            values, known = integrand(draws), control(draws)
            _check_shape("function", known.shape[1:], integrand)
            return values - self.coefficient * known

        rest = self.estimator.surrogate(Integrand(difference, law), law, samples, generator)
        mean = self.mean(law)
        _check_shape("mean", mean.shape, integrand)
        return rest + (self.coefficient * mean).to(rest.dtype)


def best_coefficient(
    f: Function,
    law: td.Distribution,
    control: ControlVariate,
    parameters: Sequence[Tensor],
    *,
    samples: int = 64,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The coefficient of ``control`` with which the gradient has the least variance, from draws of its own: ``[]``.

    ``c = Σ cov(g_f, g_h)/Σ var(g_h)``, summed over all numbers in ``parameters``, where g_f and g_h are gradients of
    ``Σ f`` and ``Σ h`` by the estimator inside, from the same draws. It costs ``samples`` backward passes for f and as
    many for h, one after another: measure it now and then. Used with other draws than these, it adds no bias. The
    estimator inside must be one without a memory (no ``MovingAverage``).

    Args:
        f: as for ``expectation``.
        law: as for ``expectation``, made of ``parameters``.
        control: its own coefficient is not looked at.
        parameters: tensors that require a gradient, in which the variance is measured.
        samples: how many gradients are taken, 2 or more.
        generator: where the randomness comes from; torch's default generator if None.

    Raises:
        EstimatorError: there are fewer than 2 samples, or g_h does not vary.

    Example:
        >>> from reparam.distributions import Normal
        >>> from reparam.estimators import ScoreFunction
        >>> loc = torch.tensor(1.0, requires_grad=True)
        >>> law = Normal(loc, 0.5)
        >>> linear = ControlVariate(ScoreFunction(), lambda y: y, lambda law: law.loc)
        >>> best_coefficient(lambda y: 3 * y, law, linear, [loc]).round(decimals=3)
        tensor(3.)

    Source: Owen, Monte Carlo theory, methods and examples, 2013, section 8.9.
    """
    whole_number("samples", samples, least=2, error=EstimatorError)
    if reason := control.refusal(law):
        raise EstimatorError(f"{control!r} does not fit {type(law).__name__}: {reason}")
    of_f, of_h = [], []
    for _ in range(samples):
        with _replayed(generator):
            of_h.append(_gradient(control.function, law, control.estimator, parameters, generator))
        of_f.append(_gradient(f, law, control.estimator, parameters, generator))
    f_off, h_off = (torch.stack(found) - torch.stack(found).mean(0) for found in (of_f, of_h))
    variance = (h_off**2).sum()
    if variance == 0:
        raise EstimatorError("the gradient of the control variate does not vary, so it can take no variance away")
    return (f_off * h_off).sum() / variance


@contextmanager
def _replayed(generator: torch.Generator | None) -> Iterator[None]:
    """After it, the generator (or torch's default ones) is where it was: what follows gets the same numbers."""
    state = None if generator is None else generator.get_state()
    with torch.random.fork_rng(enabled=generator is None):
        yield
    if generator is not None and state is not None:
        generator.set_state(state)


def _gradient(
    f: Function,
    law: td.Distribution,
    estimator: Estimator,
    parameters: Sequence[Tensor],
    generator: torch.Generator | None,
) -> Tensor:
    """Of one sample, all numbers in one row."""
    value = estimator.surrogate(Integrand(f, law), law, 1, generator).sum()
    found = torch.autograd.grad(value, list(parameters), retain_graph=True, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    return torch.cat([(torch.zeros_like(own) if part is None else part).flatten() for part, own in pairs])


def _check_shape(name: str, shape: torch.Size, integrand: Integrand) -> None:
    if shape != integrand.shape:
        raise EstimatorError(
            f"{name} of a control variate must return values of the shape of f's, {tuple(integrand.shape)} for each "
            f"sample; got {tuple(shape)}"
        )
