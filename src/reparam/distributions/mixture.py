"""Mixtures of laws of one family, with two gradients: along the draws, or through the weights of the components.

A draw of a mixture comes from one component, chosen at random. Moved with that component alone, it knows nothing of the
weights. Two unbiased ways to make it known:

- *implicit*: every draw moves as the CDF of the whole mixture says (``mixture_paths``). One draw, one value of f, as
  any ``rsample``. But on a line this velocity is the only one there is: mass that changes sides has to pass between
  the modes, where the density p is nearly 0, at a speed proportional to 1/p. Its variance grows as ``exp(s²/8)`` with
  the distance s of two normals in standard deviations, and soon the draws that would carry the gradient never come.
- *stratified*: every component is drawn from, and ``E[f] = Σ_k π_k E_k[f]`` is differentiable in π as it stands
  (Rao-Blackwellised over the choice of the component), pathwise in the components. The variance is bounded at any
  distance; f is computed K times.

For two unit normals and E[y²], the variance of the gradient in a logit is 0.24 (implicit) against 0.47 (stratified) at
distance 1, 5 against 2 at 3, 24 against 4 at 4, 600 against 9 at 6; at 10 the mean of 40,000 implicit gradients is
-19 ± 1 where -24 is right. At the same number of values of f the two are equal near 3.

No ``rsample`` can do the second: the derivative with respect to π_k is E_k[f], a value of f and not a slope of it. So
it has a method of its own, ``rsample_weighted``, which also serves the first. ``rsample`` is implicit always; where the
modes are far apart and the weights want a gradient, it warns.

Sources: Graves, arXiv:1607.05690 (implicit, coordinate by coordinate); Titsias & Lázaro-Gredilla, arXiv:1503.01494
(summing over the component).
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam import noise as randomness
from reparam.distributions.base import Implicit, Law, _to_size
from reparam.distributions.independent import Independent
from reparam.distributions.mixture_densities import component_log_densities
from reparam.distributions.mixture_paths import beside, components_of, parameter_of, widened
from reparam.distributions.mixture_separation import distances, widest_gap
from reparam.distributions.parameters import refuse
from reparam.distributions.precision import narrow, widen
from reparam.errors import ParameterError, SeparatedModesWarning

__all__ = ["MixtureSameFamily"]

Estimator = Literal["implicit", "stratified"]
SEPARATED = 4.0  # standard deviations


class _AnySupport(constraints.Constraint):
    """What one of the components can be; torch's asks it of all of them."""

    def __init__(self, component: constraints.Constraint) -> None:
        self.component = component
        self.is_discrete, self.event_dim = component.is_discrete, component.event_dim

    def check(self, value: Tensor) -> Tensor:
        """For each value: is it in the support of a component?"""
        if value.numel() == 0:  # torch's own checks of vectors fail on none
            return torch.ones(value.shape[: value.dim() - self.event_dim], dtype=torch.bool, device=value.device)
        good: Tensor = self.component.check(value.unsqueeze(-1 - self.event_dim))
        return good.any(-1)


class MixtureSameFamily(Implicit, td.MixtureSameFamily):
    """A mixture: component k with probability π_k, then a draw of that component; density ``Σ_k π_k p_k(y)``.

    torch's ``MixtureSameFamily`` with gradients of its draws in the weights and in whatever made the components.

    Components with a path: any family on the line with a differentiable CDF, ``Independent`` of it, and multivariate
    normals; their supports must overlap. Others (counts, say) are good for ``sample`` and ``log_prob``, and
    ``has_rsample`` is False. Quantiles, and ``noise=``, need components that are laws of this package; in several
    dimensions ``icdf`` is that of each coordinate given the earlier ones.

    Args:
        mixture_distribution: ``torch.distributions.Categorical`` over the K components, with finite logits.
        component_distribution: the components: its rightmost batch dimension is K. The other batch dimensions of
            both broadcast.
        validate_args: as for :class:`Normal`.
        estimator: what :meth:`rsample_weighted` does, ``"implicit"`` or ``"stratified"``; None takes the second where
            :attr:`separation` is above 4.

    Raises:
        ParameterError: the two do not go together; ``estimator`` is none of those; a weight is not finite.

    Example:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> law = MixtureSameFamily(td.Categorical(logits=logits), td.Normal(torch.tensor([-9.0, 10.0]), 1.0))
        >>> law.separation, law.estimator
        (tensor(19.), 'stratified')
        >>> draws, weights = law.rsample_weighted((1000,))
        >>> (weights * draws).sum(0).mean().backward()  # E[y] = π_1·10 - π_0·9
        >>> logits.grad.round()
        tensor([-5.,  5.])
    """

    def __init__(
        self,
        mixture_distribution: td.Categorical,
        component_distribution: td.Distribution,
        validate_args: bool | None = None,
        *,
        estimator: Estimator | None = None,
    ) -> None:
        batch_shape = _common_batch_shape(mixture_distribution, component_distribution)
        if estimator not in (None, "implicit", "stratified"):
            raise ParameterError(
                f"MixtureSameFamily: estimator must be 'implicit', 'stratified' or None; got {estimator!r}"
            )
        validating = self._validate_args if validate_args is None else validate_args
        log_weights = _log_weights(mixture_distribution)
        if validating:
            good = log_weights.isfinite().all(-1)
            refuse(self, "logits", log_weights, good, "a vector of finite numbers", "Use logits that are finite")
        num_components = component_distribution.batch_shape[-1]
        td.MixtureSameFamily.__init__(
            self,
            mixture_distribution.expand(batch_shape),
            component_distribution.expand((*batch_shape, num_components)),
            validate_args=False,
        )
        self._validate_args = validating
        self._estimator = estimator
        self._log_weights = log_weights.expand((*batch_shape, num_components))
        self._components = components_of(self.component_distribution)
        self.has_rsample = self._components is not None

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """See :meth:`Law.expand`."""
        shape = torch.Size(batch_shape)
        component = self.component_distribution.expand(shape + self._log_weights.shape[-1:])
        new = type(self)(
            self.mixture_distribution.expand(shape), component, validate_args=False, estimator=self._estimator
        )
        new._validate_args = self._validate_args
        if _instance is None:
            return new
        _instance.__dict__.update(new.__dict__)
        return cast(Self, _instance)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """Where one of the components has a density."""
        return _AnySupport(cast(constraints.Constraint, self.component_distribution.support))

    @property
    def separation(self) -> Tensor:
        """The widest gap between modes that mass has to cross, in standard deviations; shape of the batch, no gradient.

        Two components are ``|μ_j - μ_k|/s`` apart, s² the mean of both variances (in several dimensions the Mahalanobis
        distance for the mean of both covariances). From one component to another mass may go by way of others; the
        result is the longest step that cannot be avoided. NaN where a component has no variance.
        """
        with torch.no_grad():
            return widest_gap(distances(widened(self.component_distribution)))

    @property
    def estimator(self) -> Estimator:
        """Which gradient :meth:`rsample_weighted` gives: the one that was set, or chosen by :attr:`separation`.

        One choice for the whole batch, ``"implicit"`` if no element is separated. Where values cannot be looked at,
        inside ``torch.compile``, it is ``"stratified"``, which is good at any separation.
        """
        if self._estimator is not None:
            return self._estimator
        if not self.has_rsample or torch.compiler.is_compiling() or self._log_weights.device.type == "meta":
            return "stratified"
        return "implicit" if torch._is_all_true(self.separation <= SEPARATED) else "stratified"

    def rsample_weighted(
        self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Differentiable draws with weights: ``(weights * f(draws)).sum(0)`` stands for ``f(rsample(sample_shape))``.

        It has the same expectation, and the right gradient at any separation. Stratified, the first dimension is
        that of the components, and the weights are their probabilities; implicit, it is 1, and so are the weights.

        Args:
            sample_shape: how many draws of each component; ``3`` means ``(3,)``.
            generator: where the randomness comes from; torch's default generator if None.

        Returns:
            draws, ``[K, *sample_shape, *batch_shape, *event_shape]``, and weights,
            ``[K, *sample_shape, *batch_shape]`` (implicit: 1 instead of K).

        Raises:
            ParameterError: as :meth:`sample`.
            NotImplementedError: the components have no ``rsample``, or for the implicit estimator no path.
        """
        shape = _to_size(sample_shape)
        if self.estimator == "implicit":
            draws = self._move(self._pick(shape, generator)).unsqueeze(0)
            return draws, draws.new_ones((1, *shape, *self.batch_shape))
        draws = self._from_components(self.component_distribution.rsample, shape, generator)
        weights = self._log_weights.exp().to(draws.dtype).expand(*shape, *self._log_weights.shape)
        component_dim = len(shape) + len(self.batch_shape)
        return draws.movedim(component_dim, 0), weights.movedim(component_dim, 0)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Law.sample`."""
        return self._pick(_to_size(sample_shape), generator).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log Σ_k π_k p_k(value)``; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        log_densities = component_log_densities(widened(self.component_distribution), value)
        return narrow(torch.logsumexp(log_densities + self._log_weights, -1), value, self._like)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), ``Σ_k π_k F_k(value)``; on the line only."""
        if self._validate_args:
            self._validate_sample(value)
        levels = widened(self.component_distribution).cdf(self._for_each(value))
        return narrow((self._log_weights.exp() * levels).sum(-1), value, self._like)

    @property
    def mean(self) -> Tensor:
        """``Σ_k π_k μ_k``."""
        return self._average(widened(self.component_distribution).mean).to(self._like.dtype)

    @property
    def variance(self) -> Tensor:
        """``Σ_k π_k (σ_k² + (μ_k - μ)²)``, for each coordinate."""
        component = widened(self.component_distribution)
        spread = component.mean - self._for_each(self._average(component.mean))
        return self._average(component.variance + spread**2).to(self._like.dtype)

    def from_noise(self, noise: Tensor) -> Tensor:
        """The draw at these levels, each coordinate's given the earlier ones; the noise is uniform on (0, 1).

        Raises:
            NotImplementedError: the components have no quantile function here.
        """
        self._warn_of_separated_modes()
        return super().from_noise(noise)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        if self._components is None or not issubclass(self._components.family.kind, Law):
            raise NotImplementedError(
                "MixtureSameFamily: no map from noise to draws without quantile functions of the components; "
                "use components of reparam.distributions, or generator= instead of noise="
            )
        sample_dims = max(0, lower.dim() - len(self.noise_shape))
        levels = self._flat(lower), self._flat(upper)
        drawn = self._components.beside(sample_dims).quantiles(*levels, self._weights_in_front(sample_dims))
        return drawn.reshape(drawn.shape[:-1] + self.event_shape)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        self._warn_of_separated_modes()
        return self._move(self._pick(sample_shape, generator))

    def _move(self, draws: Tensor) -> Tensor:
        """The draws, attached to the parameters."""
        if self._components is None:
            raise NotImplementedError(
                f"MixtureSameFamily has no rsample for components {self.component_distribution!r}: it needs a family "
                "on the line with a differentiable CDF, Independent of one, or a multivariate normal. Where the "
                "components have an rsample themselves, use rsample_weighted"
            )
        sample_dims = draws.dim() - len(self.noise_shape)
        components = self._components.beside(sample_dims)
        moved = components.attached(self._flat(widen(draws)), self._weights_in_front(sample_dims))
        return moved.reshape(draws.shape).to(draws.dtype)

    def _pick(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draws without gradient: one of each component, of which the weights choose."""
        with torch.no_grad():
            level = randomness.uniform(sample_shape + self.batch_shape, like=self._like, generator=generator)
            chosen = (level.unsqueeze(-1) > self._log_weights.double().exp().cumsum(-1)[..., :-1]).sum(-1)
            draws = self._from_components(self.component_distribution.sample, sample_shape, generator)
            index = chosen[(..., None, *(None for _ in self.event_shape))]
            component_dim = chosen.dim()
            return torch.take_along_dim(draws, index, component_dim).squeeze(component_dim)

    def _from_components(
        self, draw: Callable[..., Tensor], sample_shape: torch.Size, generator: torch.Generator | None
    ) -> Tensor:
        if generator is None:
            return draw(sample_shape)
        if not isinstance(self.component_distribution, (Law, Independent)):
            kind = type(self.component_distribution)
            raise ParameterError(
                f"MixtureSameFamily: components {kind.__module__}.{kind.__qualname__} take no generator=; use a law "
                "of reparam.distributions that does"
            )
        return draw(sample_shape, generator=generator)

    def _warn_of_separated_modes(self) -> None:
        wanted = self.has_rsample and torch.is_grad_enabled() and self._log_weights.requires_grad
        # As for the parameters: values are looked at only if arguments are validated, never inside torch.compile.
        if wanted and self._validate_args and not torch.compiler.is_compiling() and self.estimator == "stratified":
            warnings.warn(
                "MixtureSameFamily.rsample with modes that are far apart (law.separation is above "
                f"{SEPARATED:g} standard deviations): the pathwise gradient in the weights rests on draws between the "
                "modes, which hardly ever come. Use draws, weights = law.rsample_weighted(...), whose gradient is good "
                "at any distance, or say estimator='implicit' if this one is meant",
                SeparatedModesWarning,
                stacklevel=4,
            )

    def _for_each(self, value: Tensor) -> Tensor:
        """With a dimension for the components."""
        return value.unsqueeze(-1 - len(self.event_shape))

    def _average(self, values: Tensor) -> Tensor:
        """Over the components, with their weights; ``[*batch_shape, K, *event_shape]``."""
        dims = len(self.event_shape)
        weights = self._log_weights.exp()[(..., *(None for _ in range(dims)))]
        return (weights * values).sum(-1 - dims)

    def _weights_in_front(self, sample_dims: int) -> Tensor:
        return beside(self._log_weights.movedim(-1, 0), sample_dims)

    def _flat(self, value: Tensor) -> Tensor:
        """The event as one dimension."""
        leading = value.dim() - len(self.event_shape)
        return value.reshape(*value.shape[:leading], self.event_shape.numel())

    @property
    def _like(self) -> Tensor:
        return parameter_of(self.component_distribution)


def _common_batch_shape(mixture: td.Categorical, component: td.Distribution) -> torch.Size:
    if not isinstance(mixture, td.Categorical):
        raise ParameterError(
            f"MixtureSameFamily: mixture_distribution must be a torch.distributions.Categorical; got {mixture!r}"
        )
    if not isinstance(component, td.Distribution) or not component.batch_shape:
        raise ParameterError(
            "MixtureSameFamily: component_distribution must be a distribution whose last batch dimension counts the "
            f"components; got {component!r}"
        )
    num_weights, num_components = mixture._num_events, component.batch_shape[-1]
    if num_weights != num_components:
        raise ParameterError(
            f"MixtureSameFamily: {num_weights} weights for {num_components} components (the last batch dimension of "
            f"component_distribution, {tuple(component.batch_shape)}). Use Independent for dimensions of one draw"
        )
    try:
        return torch.Size(torch.broadcast_shapes(mixture.batch_shape, component.batch_shape[:-1]))
    except RuntimeError as error:
        raise ParameterError(
            f"MixtureSameFamily: the batch shapes {tuple(mixture.batch_shape)} of the weights and "
            f"{tuple(component.batch_shape[:-1])} of the components do not broadcast"
        ) from error


def _log_weights(mixture: td.Categorical) -> Tensor:
    """Normalised, float32 at least, from what was given: torch rounds probabilities on the way to its logits."""
    given = widen(mixture._param)
    if mixture._param is mixture.__dict__.get("logits"):
        return torch.log_softmax(given, -1)
    return given.clamp(min=torch.finfo(given.dtype).tiny).log()
