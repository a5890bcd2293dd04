"""Likelihoods of a grey level: a continuous law read off a grid, and a probability for each of its points."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam.distributions.base import Unreparameterized, _to_size
from reparam.distributions.categorical import Categorical
from reparam.distributions.location_scale import Logistic
from reparam.distributions.precision import narrow, standardize, widen
from reparam.errors import ParameterError, whole_number
from reparam.special import log1mexp

__all__ = ["DiscretizedLogistic", "GridCategorical"]


class _Grid(constraints.Constraint):
    """The points ``{0, 1/(levels - 1), ..., 1}``, up to the rounding of the value's dtype."""

    is_discrete = True

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def check(self, value: Tensor) -> Tensor:
        """Elementwise: is it one of the points?"""
        position = value.to(torch.promote_types(value.dtype, torch.float32)) * (self.levels - 1)
        nearest = position.round()
        tolerance = max(1e-3, (self.levels - 1) * torch.finfo(value.dtype).eps)
        return ((position - nearest).abs() <= tolerance) & (nearest >= 0) & (nearest < self.levels)

    def __repr__(self) -> str:
        return f"k / {self.levels - 1} for k = 0, ..., {self.levels - 1}"


class DiscretizedLogistic(Unreparameterized):
    """A logistic law rounded to the grid ``{0, 1/(levels-1), ..., 1}``; all beyond the ends goes to them.

    With h half the distance between grid points and s the sigmoid, a = (x - h - μ)/σ and b = (x + h - μ)/σ,

        P(x) = s(b) - s(a) = s(b) · s(-a) · (1 - exp(-2h/σ)),

    where s(b) is replaced by 1 at x = 1 and s(-a) by 1 at x = 0, and the last factor then drops out. The
    probabilities sum to 1. The product has no cancellation, so its logarithm is accurate, and value and
    gradients are finite, wherever the law lies and however narrow it is: no floor under the probability is
    needed.

    Source: Salimans, Karpathy, Chen & Kingma, PixelCNN++, arXiv:1701.05517, eq. 2 (one component, on [0, 1] instead of
    0..255).

    Args:
        loc: centre of the continuous law, finite, in units of the grid (0 darkest, 1 brightest); any shape.
        scale: its scale, positive and finite, in the same units; broadcasts against ``loc``.
        levels: number of grid points, at least 2; 256 for 8-bit images.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`; or ``levels`` is not an integer >= 2, or too many for the
            dtype to tell neighbours apart (256 in bfloat16).

    Example:
        >>> law = DiscretizedLogistic(torch.tensor(0.4), torch.tensor(0.1), levels=4)
        >>> law.log_prob(torch.arange(4) / 3).exp()
        tensor([0.0884, 0.6427, 0.2560, 0.0130])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    loc: Tensor
    scale: Tensor
    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.ScoreFunction()); or reparam.distributions.Logistic "
        "(continuous, and its rsample is differentiable); or log_prob, which is differentiable in loc and scale"
    )

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, levels: int, validate_args: bool | None = None
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale)
        whole_number("DiscretizedLogistic: levels", levels, least=2, error=ParameterError)
        if (levels - 1) * torch.finfo(self.loc.dtype).eps > 0.5:
            raise ParameterError(
                f"DiscretizedLogistic: {levels} levels cannot be told apart in {self.loc.dtype}; "
                "convert loc and scale with .float()"
            )
        self.levels = levels

    def _options(self) -> dict[str, Any]:
        return {"levels": self.levels}

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The grid."""
        return _Grid(self.levels)

    @property
    def mean(self) -> Tensor:
        """The exact mean, ``Σ_k P(level >= k) / (levels - 1)``: one sigmoid a level, differentiable."""
        wide = torch.promote_types(self.loc.dtype, torch.float32)
        loc, scale = self.loc.to(wide), self.scale.to(wide)
        total = torch.zeros_like(loc)
        for level in range(1, self.levels):
            total = total + torch.sigmoid((loc - (level - 0.5) / (self.levels - 1)) / scale)
        return (total / (self.levels - 1)).to(self.loc.dtype)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Draws on the grid, in [0, 1]; see :meth:`Law.sample`."""
        continuous = Logistic(self.loc, self.scale, validate_args=False)
        level = self._nearest_level(continuous.sample(sample_shape, generator=generator))
        return (level / (self.levels - 1)).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats of the grid point nearest to ``value``; shape as broadcast.

        Raises:
            ValueError: arguments are validated and ``value`` is not on the grid.
        """
        if self._validate_args:
            self._validate_sample(value)
        level, last = self._nearest_level(value), self.levels - 1
        below = logsigmoid(standardize((level + 0.5) / last, self.loc, self.scale))
        above = logsigmoid(-standardize((level - 0.5) / last, self.loc, self.scale))
        width = log1mexp(-1 / (last * self.scale.to(below.dtype)))
        log_probability = torch.where(level < last, below, 0.0) + torch.where(level > 0, above, 0.0)
        log_probability = log_probability + torch.where((level > 0) & (level < last), width, 0.0)
        return narrow(log_probability, value, self.loc)

    def _nearest_level(self, value: Tensor) -> Tensor:
        wide = torch.promote_types(value.dtype, self.loc.dtype)
        position = value.to(torch.promote_types(wide, torch.float32)) * (self.levels - 1)
        return position.round().clamp(0, self.levels - 1)


class GridCategorical(Unreparameterized):
    """One point of the grid ``{0, 1/(K-1), ..., 1}``: the k-th with probability ``softmax(logits)[k]``.

    :class:`Categorical` whose classes are numbers in order, so that it has a mean.

    Args:
        logits: log probabilities up to a constant, finite; shape ``[*batch_shape, K]``, K at least 2.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`; or fewer than 2 points.

    Example:
        >>> law = GridCategorical(torch.tensor([0.0, 0.0, 0.0]))
        >>> law.mean, law.log_prob(torch.tensor(0.5)).exp()
        (tensor(0.5000), tensor(0.3333))
    """

    arg_constraints = {"logits": constraints.real_vector}  # noqa: RUF012
    logits: Tensor
    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.ScoreFunction()); or log_prob, which is "
        "differentiable in logits"
    )

    def __init__(self, logits: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, logits=logits)
        self.levels = self.logits.shape[-1]
        if self.levels < 2:
            raise ParameterError(f"GridCategorical: logits must have at least 2 entries, got {self.levels}")

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The grid."""
        return _Grid(self.levels)

    @property
    def mean(self) -> Tensor:
        """``Σ_k p_k·k/(K - 1)``."""
        return (self._probs * self._points).sum(-1).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        """``Σ_k p_k·(k/(K - 1) - mean)²``."""
        probs, points = self._probs, self._points
        mean = (probs * points).sum(-1, keepdim=True)
        return (probs * (points - mean) ** 2).sum(-1).to(self.logits.dtype)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Draws on the grid, in [0, 1]; see :meth:`Law.sample`."""
        classes = Categorical(logits=self.logits, validate_args=False).sample(
            _to_size(sample_shape), generator=generator
        )
        return (classes.contiguous().to(self._points) / (self.levels - 1)).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats of the grid point nearest to ``value``; shape as broadcast.

        Raises:
            ValueError: arguments are validated and ``value`` is not on the grid.
        """
        if self._validate_args:
            self._validate_sample(value)
        nearest = (widen(value) * (self.levels - 1)).round().clamp(0, self.levels - 1)
        chances = Categorical(logits=widen(self.logits), validate_args=False)
        return narrow(chances.log_prob(nearest), value, self.logits)

    @property
    def _points(self) -> Tensor:
        wide = widen(self.logits)
        return torch.linspace(0, 1, self.levels, dtype=wide.dtype, device=wide.device)

    @property
    def _probs(self) -> Tensor:
        return torch.softmax(widen(self.logits), -1)
