"""Are these parameters ones a law can have? Asked once, when the law is made."""

from numbers import Real

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.errors import ParameterError

__all__ = ["check_parameters"]

_EXPECTED: dict[constraints.Constraint, tuple[str, str]] = {
    constraints.real: ("a finite number", "Use a parameter that is finite"),
    constraints.positive: (
        "positive and finite",
        "Use torch.nn.functional.softplus or exp to turn a network's output into one that is",
    ),
    constraints.unit_interval: (
        "a probability between 0 and 1",
        "Use torch.sigmoid on a network's output, or give logits= instead",
    ),
}


def check_parameters(law: td.Distribution, validating: bool, **parameters: Tensor | float) -> tuple[Tensor, ...]:
    """The parameters as tensors of one shape, dtype and device, or an error that says which is wrong and how.

    Numbers take the dtype and device of the tensors, or torch's default dtype if there are none. Types,
    dtypes, devices and shapes are always checked (that costs microseconds and never waits for a device).
    Values are checked against ``law.arg_constraints``, and for being finite, only if ``validating``, and
    never inside ``torch.compile`` or on the ``meta`` device, where they cannot be looked at.

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
    shapes = {value.shape for value in tensors.values()}
    if validating and not torch.compiler.is_compiling():
        for parameter, value in tensors.items():
            _check_values(name, parameter, value, law.arg_constraints[parameter])
    if len(shapes) == 1:
        return tuple(tensors.values())
    try:
        return tuple(torch.broadcast_tensors(*tensors.values()))
    except RuntimeError as error:
        listing = ", ".join(f"{parameter} {tuple(value.shape)}" for parameter, value in tensors.items())
        raise ParameterError(
            f"{name}: the shapes {listing} do not broadcast; counted from the right, sizes must be "
            "equal or 1. Add dimensions of size 1 with unsqueeze"
        ) from error


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


def _check_values(law: str, name: str, value: Tensor, constraint: constraints.Constraint) -> None:
    if value.device.type == "meta":
        return
    good = torch.isfinite(value) & constraint.check(value)
    if torch._is_all_true(good):
        return
    expected, remedy = _EXPECTED[constraint]
    if torch._C._functorch.is_batchedtensor(value):
        raise ParameterError(f"{law}: {name} must be {expected}, and somewhere in this vmap it is not. {remedy}")
    bad = (~good).nonzero()
    index = tuple(bad[0].tolist())
    first = value[index].item()
    where = f" at index {index} ({len(bad)} of {value.numel()} values are wrong)" if index else ""
    if first != first or first in (float("inf"), float("-inf")):
        remedy = "Look for where it stops being finite: a training step that diverged, log(0), 0/0"
    raise ParameterError(f"{law}: {name} must be {expected}; got {first:g}{where}. {remedy}")
