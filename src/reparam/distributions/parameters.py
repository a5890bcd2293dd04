"""Are these parameters ones a law can have? Asked once, when the law is made."""

import math
from collections.abc import Callable
from numbers import Real
from typing import TypeVar

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.precision import widen
from reparam.errors import ParameterError

__all__ = [
    "above_zero",
    "below_one",
    "check_parameters",
    "event_dim",
    "exactly_one",
    "extended_real",
    "open_unit_interval",
    "positive_weights",
    "refuse",
    "same_size",
    "unit_vector",
    "weights",
]

T = TypeVar("T")


class _Probability(constraints.Constraint):
    """A probability that may not be 0, or may not be 1."""

    def __init__(self, zero: bool, one: bool) -> None:
        self.zero, self.one = zero, one

    def check(self, value: Tensor) -> Tensor:
        """Elementwise: is it one?"""
        from_below = value >= 0 if self.zero else value > 0
        return from_below & (value <= 1 if self.one else value < 1)


class _Weights(constraints.Constraint):
    """A vector of weights >= 0, not all 0: what is a probability once it is divided by its sum."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """For each vector: is it one?"""
        return (value >= 0).all(-1) & (value > 0).any(-1)


class _ExtendedReal(constraints.Constraint):
    """A real number, or infinite."""

    def check(self, value: Tensor) -> Tensor:
        """Elementwise: is it one?"""
        return ~value.isnan()


class _UnitVector(constraints.Constraint):
    """A vector of length 1, up to a few roundings in its dtype."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """For each vector: is it one?"""
        length: Tensor = torch.linalg.vector_norm(widen(value), dim=-1)
        return (length - 1).abs() <= 8 * torch.finfo(value.dtype).eps


extended_real = _ExtendedReal()
above_zero, below_one = _Probability(zero=False, one=True), _Probability(zero=True, one=False)
open_unit_interval = _Probability(zero=False, one=False)
weights = _Weights()
unit_vector = _UnitVector()
positive_weights = constraints.independent(constraints.positive, 1)
_GIVE_LOGITS = "Use torch.sigmoid on a network's output, or give logits= instead"

_EXPECTED: dict[constraints.Constraint, tuple[str, str]] = {
    constraints.real: ("a finite number", "Use a parameter that is finite"),
    extended_real: ("a number, or infinite", "Use -inf or inf for no bound"),
    constraints.positive: (
        "positive and finite",
        "Use torch.nn.functional.softplus or exp to turn a network's output into one that is",
    ),
    constraints.unit_interval: (
        "a probability between 0 and 1",
        _GIVE_LOGITS,
    ),
    above_zero: ("a probability greater than 0", _GIVE_LOGITS),
    below_one: ("a probability less than 1", _GIVE_LOGITS),
    open_unit_interval: ("a probability strictly between 0 and 1", _GIVE_LOGITS),
    weights: (
        "a vector of weights >= 0 that are not all 0",
        "Use torch.softmax on a network's output, or give logits= instead",
    ),
    positive_weights: (
        "a vector of positive weights",
        "Use torch.softmax on a network's output, or give logits= instead",
    ),
    constraints.nonnegative: ("zero or more, and finite", "Use softplus or exp on a network's output"),
    constraints.nonnegative_integer: ("a whole number >= 0", "Use a count"),
    constraints.real_vector: ("a vector of finite numbers", "Use a parameter that is finite"),
    constraints.simplex: (
        "a vector of probabilities that sum to 1",
        "Use torch.softmax on a network's output, or give logits= instead",
    ),
    unit_vector: (
        "a vector of length 1",
        "Use torch.nn.functional.normalize(..., dim=-1)",
    ),
    constraints.lower_cholesky: (
        "lower triangular with a positive diagonal",
        "Use torch.linalg.cholesky of a covariance, or a strictly lower triangle plus a softplus diagonal",
    ),
    constraints.positive_definite: (
        "symmetric and positive-definite",
        "Use A @ A.mT + ε·I, or give scale_tril= instead",
    ),
}


def event_dim(law: td.Distribution, name: str) -> int:
    """How many trailing dimensions of the parameter belong to one draw."""
    return int(law.arg_constraints[name].event_dim)


def check_parameters(law: td.Distribution, validating: bool, **parameters: Tensor | float) -> tuple[Tensor, ...]:
    """The parameters as tensors of one batch shape, dtype and device, or an error that says which is wrong and how.

    Numbers take the dtype and device of the tensors, or torch's default dtype if there are none. Types,
    dtypes, devices and shapes are always checked (that costs microseconds and never waits for a device).
    Values are checked against ``law.arg_constraints``, and for being finite, only if ``validating``, and
    never inside ``torch.compile`` or on the ``meta`` device, where they cannot be looked at. The trailing
    dimensions that a parameter's constraint says belong to one draw are left as they are; the others are
    broadcast.

    Args:
        law: the law being made; gives its name and constraints.
        validating: whether to look at values.
        parameters: by name, in the order of the result.

    Raises:
        ParameterError: names the law, the parameter, what is wrong with it, where, and the remedy.

    Example:
        >>> check_parameters(td.Normal(0.0, 1.0), True, loc=torch.zeros(2), scale=1)
        (tensor([0., 0.]), tensor([1., 1.]))
    """
    name = type(law).__name__
    tensors = _to_tensors(name, parameters)
    dims = {parameter: event_dim(law, parameter) for parameter in parameters}
    for parameter, value in tensors.items():
        if value.dim() < dims[parameter]:
            raise ParameterError(
                f"{name}: {parameter} needs at least {dims[parameter]} dimension(s), one for each of one draw; "
                f"got shape {tuple(value.shape)}"
            )
        if law.arg_constraints[parameter] in _MATRICES and value.shape[-1] != value.shape[-2]:
            raise ParameterError(
                f"{name}: {parameter} must be square in its last two dimensions; got shape {tuple(value.shape)}"
            )
    if validating and not torch.compiler.is_compiling():
        for parameter, value in tensors.items():
            _check_values(law, parameter, value.detach(), law.arg_constraints[parameter])
    shapes = {parameter: value.shape[: value.dim() - dims[parameter]] for parameter, value in tensors.items()}
    if len(set(shapes.values())) == 1:
        return tuple(tensors.values())
    try:
        batch_shape = torch.broadcast_shapes(*shapes.values())
    except RuntimeError as error:
        listing = ", ".join(f"{parameter} {tuple(value.shape)}" for parameter, value in tensors.items())
        raise ParameterError(
            f"{name}: the shapes {listing} do not broadcast; counted from the right, sizes must be "
            "equal or 1. Add dimensions of size 1 with unsqueeze"
        ) from error
    return tuple(
        value.expand(batch_shape + value.shape[len(shapes[parameter]) :]) for parameter, value in tensors.items()
    )


def exactly_one(law: td.Distribution, **candidates: T | None) -> tuple[str, T]:
    """Name and value of the one parameter that is given, of several that say the same.

    Raises:
        ParameterError: none is given, or more than one.

    Example:
        >>> exactly_one(td.Bernoulli(0.5), probs=0.5, logits=None)
        ('probs', 0.5)
    """
    given = {name: value for name, value in candidates.items() if value is not None}
    if len(given) != 1:
        names = ", ".join(f"{name}=" for name in candidates)
        got = " and ".join(given) if given else "none"
        raise ParameterError(f"{type(law).__name__}: give one of {names}; got {got}")
    return next(iter(given.items()))


def same_size(law: td.Distribution, **dims: int) -> None:
    """Refuse parameters that differ in size along the dimension named for each, such as ``loc=-1, scale_tril=-1``.

    Raises:
        ParameterError: names the parameters and their shapes.
    """
    shapes = {name: tuple(getattr(law, name).shape) for name in dims}
    if len({shapes[name][dim] for name, dim in dims.items()}) > 1:
        listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        sizes = " and ".join(f"dimension {dim} of {name}" for name, dim in dims.items())
        raise ParameterError(f"{type(law).__name__}: {sizes} must have one size; got shapes {listing}")


def refuse(
    law: td.Distribution,
    name: str,
    value: Tensor,
    good: Tensor,
    expected: str,
    remedy: str,
    show: Callable[[Tensor], str] | None = None,
) -> None:
    """Raise if ``good`` is not all true, naming the first bad place: for what concerns several parameters at once.

    Args:
        law: the law being made.
        name: the parameter to blame.
        value: its values.
        good: which are acceptable, of the shape of ``value`` or without its event dimensions.
        expected: the end of "must be ...".
        remedy: what to do, a sentence without full stop.
        show: says what is wrong with the values of one place; None shows the numbers.

    Raises:
        ParameterError: some value is not good. Nothing is looked at inside ``torch.compile`` or on ``meta``.
    """
    if torch.compiler.is_compiling() or good.device.type == "meta" or torch._is_all_true(good):
        return
    law_name = type(law).__name__
    if torch._C._functorch.is_batchedtensor(good):
        raise ParameterError(f"{law_name}: {name} must be {expected}, and somewhere in this vmap it is not. {remedy}")
    # A law of laws speaks of the parameters of another, whose constraints are not its own.
    event_dims = event_dim(law, name) if name in law.arg_constraints else 0
    batch_dims = min(good.dim(), value.dim() - event_dims)
    per_draw = good.flatten(batch_dims).all(-1) if good.dim() > batch_dims else good
    bad = (~per_draw).nonzero()
    index = tuple(bad[0].tolist())
    where = f" at index {index} ({len(bad)} of {math.prod(value.shape[:batch_dims])} values are wrong)" if index else ""
    first = value[index].detach()
    if good.dim() > batch_dims:
        first = first[~good[index]][0]
    if not first.isfinite().all():
        remedy = "Look for where it stops being finite: a training step that diverged, log(0), 0/0"
        show = None
    raise ParameterError(f"{law_name}: {name} must be {expected}; got {(show or _show)(first)}{where}. {remedy}")


def _show(value: Tensor) -> str:
    """A number as it is, of several the first few, or the first that is not finite."""
    if value.dim() == 0:
        return f"{value.item():g}"
    if not value.isfinite().all():
        return f"{value[~value.isfinite()][0].item():g}"
    return f"{[float(f'{element:g}') for element in value.flatten()[:4].tolist()]}"


def _is_lower_cholesky(value: Tensor) -> Tensor:
    # One pass: what is above the diagonal is weighted 1, all else 0, and 0 times infinity or NaN is NaN.
    above = torch.ones(value.shape[-2:], dtype=value.dtype, device=value.device).triu(1)
    stray = (value.abs() * above).flatten(-2).sum(-1)
    return (stray == 0) & (value.diagonal(dim1=-2, dim2=-1).amin(-1) > 0)


def _show_lower_cholesky(value: Tensor) -> str:
    above = value.triu(1)
    if (above != 0).any():
        return f"a matrix with {above[above != 0][0].item():g} above its diagonal"
    return f"a matrix with {value.diagonal().min().item():g} on its diagonal"


def _is_symmetric(value: Tensor) -> Tensor:
    # Measured against √(a_ii·a_jj), which no entry of a covariance exceeds: units do not matter.
    root = value.diagonal(dim1=-2, dim2=-1).abs().sqrt()
    tolerance = max(1e-5, 10 * torch.finfo(value.dtype).eps)
    close = (value - value.mT).abs() <= tolerance * root.unsqueeze(-1) * root.unsqueeze(-2)
    return close.flatten(-2).all(-1)


def _is_positive_definite(value: Tensor) -> Tensor:
    symmetric = _is_symmetric(value)
    identity = torch.eye(value.shape[-1], dtype=value.dtype, device=value.device)
    failed: Tensor = torch.linalg.cholesky_ex(widen(torch.where(symmetric[..., None, None], value, identity))).info
    return symmetric & (failed == 0)


def _show_positive_definite(value: Tensor) -> str:
    if not _is_symmetric(value):
        return "a matrix that is not symmetric"
    return f"a matrix whose smallest eigenvalue is {torch.linalg.eigvalsh(value.double())[0].item():.3g}"


# How a matrix is checked, and what is said of one that fails.
_MATRICES: dict[constraints.Constraint, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], str]]] = {
    constraints.lower_cholesky: (_is_lower_cholesky, _show_lower_cholesky),
    constraints.positive_definite: (_is_positive_definite, _show_positive_definite),
}


def _to_tensors(law: str, parameters: dict[str, Tensor | float]) -> dict[str, Tensor]:
    for name, value in parameters.items():
        if not isinstance(value, (Tensor, Real)) or isinstance(value, bool):
            raise ParameterError(
                f"{law}: {name} must be a number or a tensor; got {value!r} ({type(value).__name__}). "
                "Use torch.as_tensor(..., dtype=torch.float32)"
            )
        if isinstance(value, Tensor) and not value.is_floating_point():
            raise ParameterError(
                f"{law}: {name} must be floating point; got a tensor of {value.dtype}. Use {name}.float()"
            )
    given = {name: value for name, value in parameters.items() if isinstance(value, Tensor)}
    for what in ("dtype", "device"):
        found = {name: getattr(value, what) for name, value in given.items()}
        if len(set(found.values())) > 1:
            listing = ", ".join(f"{name} has {kind}" for name, kind in found.items())
            remedy = " or ".join(f".to({kind})" for kind in dict.fromkeys(found.values()))
            raise ParameterError(f"{law}: parameters must share one {what}; {listing}. Convert with {remedy}")
    if len(given) == len(parameters):
        return given
    first = next(iter(given.values()), torch.empty(()))
    return {
        name: value if isinstance(value, Tensor) else first.new_full((), float(value))
        for name, value in parameters.items()
    }


def _check_values(law: td.Distribution, name: str, value: Tensor, constraint: constraints.Constraint) -> None:
    # Some of torch's constraints cannot look at an empty tensor.
    if value.device.type == "meta" or value.numel() == 0:
        return
    if _ends_are_good(value, _unwrapped(constraint)):
        return
    show = None
    if constraint in _MATRICES:
        check, show = _MATRICES[constraint]
        good = check(value)
    else:
        finite = ~value.isnan() if constraint is extended_real else torch.isfinite(value)
        # Unwrapped, because torch's check of independent values fails on an empty batch.
        good = _unwrapped(constraint).check(torch.where(finite, value, 0.0))
        good = good & (finite if good.dim() == value.dim() else finite.flatten(good.dim()).all(-1))
    expected, remedy = _EXPECTED.get(constraint) or _EXPECTED.get(
        _unwrapped(constraint), (f"in {constraint}", "See the law's docstring")
    )
    refuse(law, name, value, good, expected, remedy, show)


def _unwrapped(constraint: constraints.Constraint) -> constraints.Constraint:
    """The constraint on a single value, where ``constraint`` asks the same of several."""
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return constraint


# Which numbers are good where those between two good ones are: the ends are enough. NaN compares false.
_CONVEX: dict[constraints.Constraint, Callable[[float, float], bool]] = {
    constraints.real: lambda smallest, largest: -math.inf < smallest and largest < math.inf,
    constraints.positive: lambda smallest, largest: smallest > 0 and largest < math.inf,
    constraints.nonnegative: lambda smallest, largest: smallest >= 0 and largest < math.inf,
    constraints.unit_interval: lambda smallest, largest: smallest >= 0 and largest <= 1,
}


def _ends_are_good(value: Tensor, constraint: constraints.Constraint) -> bool:
    """Whether smallest and largest value are good, and so all are: one pass over the values instead of five."""
    if constraint not in _CONVEX or torch._C._functorch.is_batchedtensor(value):
        return False
    smallest, largest = torch.aminmax(value)
    if value.device.type == "cpu" and not torch._C._functorch.is_functorch_wrapped_tensor(value):
        return _CONVEX[constraint](smallest.item(), largest.item())
    ends = torch.stack((smallest, largest))  # looked at once: that waits for a device
    return bool(torch._is_all_true(torch.isfinite(ends) & constraint.check(ends)))
