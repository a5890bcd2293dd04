"""Are these parameters ones a law can have? Asked once, when the law is made."""

from numbers import Real

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.errors import ParameterError

__all__ = ["check_parameters", "event_dim", "refuse"]

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
    constraints.nonnegative: ("zero or more, and finite", "Use softplus or exp on a network's output"),
    constraints.nonnegative_integer: ("a whole number >= 0", "Use a count"),
    constraints.real_vector: ("a vector of finite numbers", "Use a parameter that is finite"),
    constraints.simplex: (
        "a vector of probabilities that sum to 1",
        "Use torch.softmax on a network's output, or give logits= instead",
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
    if validating and not torch.compiler.is_compiling():
        for parameter, value in tensors.items():
            _check_values(law, parameter, value, law.arg_constraints[parameter])
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


def refuse(law: td.Distribution, name: str, value: Tensor, good: Tensor, expected: str, remedy: str) -> None:
    """Raise if ``good`` is not all true, naming the first bad place: for what concerns several parameters at once.

    Args:
        law: the law being made.
        name: the parameter to blame.
        value: its values, of the shape of ``good`` (plus event dimensions).
        good: which are acceptable.
        expected: the end of "must be ...".
        remedy: what to do, a sentence without full stop.

    Raises:
        ParameterError: some value is not good. Nothing is looked at inside ``torch.compile`` or on ``meta``.
    """
    if torch.compiler.is_compiling() or good.device.type == "meta" or torch._is_all_true(good):
        return
    law_name = type(law).__name__
    if torch._C._functorch.is_batchedtensor(good):
        raise ParameterError(f"{law_name}: {name} must be {expected}, and somewhere in this vmap it is not. {remedy}")
    bad = (~good).nonzero()
    index = tuple(bad[0].tolist())
    where = f" at index {index} ({len(bad)} of {good.numel()} values are wrong)" if index else ""
    first = value[index].detach()
    if not first.isfinite().all():
        remedy = "Look for where it stops being finite: a training step that diverged, log(0), 0/0"
    raise ParameterError(f"{law_name}: {name} must be {expected}; got {_show(first)}{where}. {remedy}")


def _show(value: Tensor) -> str:
    """A number as it is; a vector by its first elements; of a matrix what makes it unfit."""
    if value.dim() == 0:
        return f"{value.item():g}"
    if not value.isfinite().all():
        return f"{value[~value.isfinite()][0].item():g}"
    if value.dim() == 2 and value.shape[0] == value.shape[1]:
        if not torch.allclose(value, value.mT, rtol=1e-4, atol=1e-6):
            return "a matrix that is not symmetric"
        return f"a matrix whose smallest eigenvalue is {torch.linalg.eigvalsh(value.double())[0].item():.3g}"
    return f"{[float(f'{element:g}') for element in value.flatten()[:4].tolist()]}"


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
    if value.device.type == "meta" or value.numel() == 0:
        return
    finite = torch.isfinite(value)
    good = finite.flatten(value.dim() - constraint.event_dim).all(-1) if constraint.event_dim else finite
    good = good & constraint.check(torch.where(finite, value, 0.0))
    refuse(
        law,
        name,
        value,
        good,
        *_EXPECTED.get(
            getattr(constraint, "base_constraint", constraint), (f"in {constraint}", "See the law's docstring")
        ),
    )
