"""From a law that somebody has made back to a function of its parameters."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.constraints import Constraint

from reparam.checking.subject import Subject, quiet
from reparam.distributions import Chained, Law, Transformed
from reparam.errors import ParameterError

__all__ = ["subject_of_function", "subjects_of_law"]

_MAX_ELEMENTS = 3  # of a batch
_INSTEAD = (
    "Give a function that makes the law, and its parameters: check_rsample(lambda loc: MyLaw(loc), "
    'parameters={"loc": torch.tensor(0.5)})'
)


@dataclass(frozen=True)
class _Parts:
    """A law as a function of named tensors, each of shape ``[*batch_shape, *]``."""

    make: Callable[[Mapping[str, Tensor]], td.Distribution]
    parameters: dict[str, Tensor]
    constraints: dict[str, Constraint]


def subject_of_function(
    make: Callable[..., td.Distribution], parameters: Mapping[str, Tensor | float], seed: int
) -> Subject:
    """A function of parameters, checked to make a single law.

    Raises:
        ParameterError: a parameter is not a number or floating-point tensor; the function makes no law, or a batch.
    """
    tensors = {}
    for name, value in parameters.items():
        tensor = torch.as_tensor(value)
        if tensor.is_complex() or tensor.dtype is torch.bool:
            raise ParameterError(f"parameter {name} must be a real number or a tensor of them; got {tensor.dtype}")
        tensors[name] = tensor.detach().double()
    law = make(**tensors)
    if not isinstance(law, td.Distribution):
        raise ParameterError(f"the function must make a torch distribution; it made a {type(law).__name__}")
    if law.batch_shape != ():
        raise ParameterError(
            f"one law is checked at a time, but the function made a batch of shape {tuple(law.batch_shape)}. Give the "
            "parameters of one law (batch shape ()); td.Independent makes one law of many"
        )
    known = {name: kind for name, kind in _constraints(law).items() if name in tensors}
    return Subject(type(law).__name__, lambda given: make(**given), tensors, known, seed)


def subjects_of_law(law: td.Distribution, seed: int) -> list[Subject]:
    """The law, or the first, middle and last of a batch of laws.

    Raises:
        ParameterError: its constructor and its attributes do not say how it was made.
    """
    with quiet(validate=False):
        parts = _take_apart(law)
    if not law.batch_shape:
        return [Subject(type(law).__name__, parts.make, parts.parameters, parts.constraints, seed)]
    count = law.batch_shape.numel()
    chosen = sorted({0, count // 2, count - 1})[:_MAX_ELEMENTS] if count else []
    if not chosen:
        raise ParameterError(f"{type(law).__name__}: the batch is empty, so there is no law to check")
    dims = len(law.batch_shape)
    for name, value in parts.parameters.items():
        if value.shape[:dims] != law.batch_shape:
            raise ParameterError(
                f"{type(law).__name__}: cannot tell which part of {name}, of shape {tuple(value.shape)}, belongs to "
                f"one law of the batch of shape {tuple(law.batch_shape)}. {_INSTEAD}"
            )
    return [
        Subject(
            f"{type(law).__name__}, element {index} of the batch",
            parts.make,
            {name: value.flatten(0, dims - 1)[index].clone() for name, value in parts.parameters.items()},
            parts.constraints,
            seed,
        )
        for index in chosen
    ]


def _take_apart(law: td.Distribution) -> _Parts:
    if isinstance(law, td.Independent):
        return _independent(law)
    if isinstance(law, td.MixtureSameFamily):
        return _mixture(law)
    if type(law) is td.TransformedDistribution or isinstance(law, Transformed):
        return _transformed(law)
    if isinstance(law, Chained):
        raise ParameterError(f"Chained cannot be taken apart: its second law is a function's secret. {_INSTEAD}")
    if isinstance(law, Law):
        return _ours(law)
    return _by_constructor(law)


def _independent(law: td.Independent[Any]) -> _Parts:
    kind, dims = cast(Any, type(law)), law.reinterpreted_batch_ndims
    base = _take_apart(law.base_dist)
    return _Parts(lambda given: kind(base.make(given), dims), base.parameters, base.constraints)


def _mixture(law: Any) -> _Parts:
    weights, components = _take_apart(law.mixture_distribution), _take_apart(law.component_distribution)
    kind: Any = type(law)
    inner = {f"component.{name}": value for name, value in components.parameters.items()}
    outer = {f"mixture.{name}": value for name, value in weights.parameters.items()}
    known = {f"component.{name}": value for name, value in components.constraints.items()}
    known |= {f"mixture.{name}": value for name, value in weights.constraints.items()}

    def make(given: Mapping[str, Tensor]) -> td.Distribution:
        made: td.Distribution = kind(
            weights.make(_below("mixture.", given)), components.make(_below("component.", given))
        )
        return made

    return _Parts(make, {**outer, **inner}, known)


def _below(prefix: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}


def _ours(law: Law) -> _Parts:
    kind, options = cast(Any, type(law)), law._options()
    return _Parts(lambda given: kind(**given, **options), _doubled(law._given), _constraints(law))


def _transformed(law: td.TransformedDistribution) -> _Parts:
    base = _take_apart(law.base_dist)
    shape = law.batch_shape + law.event_shape
    scales: dict[str, Tensor] = {}
    for index, transform in enumerate(law.transforms):
        if isinstance(transform, td.AffineTransform):
            for name in ("loc", "scale"):
                value = getattr(transform, name)
                if isinstance(value, Tensor):
                    scales[f"transform{index}.{name}"] = value.detach().double().expand(shape).clone()

    def make(given: Mapping[str, Tensor]) -> td.Distribution:
        transforms: list[td.Transform] = []
        for index, transform in enumerate(law.transforms):
            own = _below(f"transform{index}.", given)
            if isinstance(transform, td.AffineTransform) and own:
                loc, scale = own.get("loc", transform.loc), own.get("scale", transform.scale)
                transforms.append(td.AffineTransform(loc, scale, event_dim=transform.event_dim))
            else:
                transforms.append(transform)
        remade = base.make({name: given[name] for name in base.parameters})
        if isinstance(law, Transformed):
            return Transformed(remade, transforms[0])
        return td.TransformedDistribution(remade, transforms)

    return _Parts(make, {**base.parameters, **scales}, base.constraints)


def _by_constructor(law: td.Distribution) -> _Parts:
    """Arguments of the constructor that are attributes: floating-point tensors are parameters, the rest options."""
    kind, known = cast(Any, type(law)), _constraints(law)
    parameters: dict[str, Tensor] = {}
    alternatives: dict[str, Tensor] = {}
    options: dict[str, Any] = {}
    for name, argument in _arguments(kind):
        needed = argument.default is not None
        value = _stored(law, name) if needed else _stored_as_given(law, name)
        if value is _MISSING and not needed:
            continue
        if value is _MISSING and argument.default is inspect.Parameter.empty:
            raise ParameterError(f"{kind.__name__} cannot be taken apart: nothing says what {name} was. {_INSTEAD}")
        if value is _MISSING:
            continue
        smooth = isinstance(value, Tensor) and value.is_floating_point() and not _is_discrete(known.get(name))
        (options if not smooth else parameters if needed else alternatives)[name] = value
    if len(alternatives) > 1:
        alternatives = _primary(law, alternatives)
    made_of = _first_that_makes(kind, parameters, options, alternatives)
    shape, event = law.batch_shape, {name: known[name] for name in made_of if name in known}
    expanded = {name: _expanded(value, shape, event.get(name)) for name, value in _doubled(made_of).items()}
    options = {name: _single(value, shape) for name, value in options.items()}
    return _Parts(lambda given: kind(**given, **options), expanded, {name: known[name] for name in event})


_MISSING = object()


def _arguments(kind: type) -> Iterator[tuple[str, inspect.Parameter]]:
    for name, argument in inspect.signature(kind).parameters.items():
        if name != "validate_args" and argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            yield name, argument


def _stored(law: td.Distribution, name: str) -> Any:
    try:
        return getattr(law, name)
    except (AttributeError, NotImplementedError):
        return _MISSING


def _stored_as_given(law: Any, name: str, depth: int = 3) -> Any:
    """What is in the instance itself, or in a law inside of it, so that nothing computed from it is mistaken for it."""
    held = vars(law)
    if name in held:
        return held[name] if held[name] is not None else _MISSING
    for inner in held.values():
        if isinstance(inner, td.Distribution) and depth:
            found = _stored_as_given(inner, name, depth - 1)
            if found is not _MISSING:
                return found
    return _MISSING


def _primary(law: Any, alternatives: dict[str, Tensor], depth: int = 3) -> dict[str, Tensor]:
    """The alternative that torch's laws (or a law inside) remember as theirs; else all, in the order they were stored.

    What a law was given is stored before what it computes from that.
    """
    held = vars(law)
    alternatives = {name: alternatives[name] for name in sorted(alternatives, key=[*held, *alternatives].index)}
    for name, value in alternatives.items():
        if held.get("_param") is value:
            return {name: value}
    for inner in held.values():
        if isinstance(inner, td.Distribution) and depth:
            found = _primary(inner, alternatives, depth - 1)
            if len(found) == 1:
                return found
    return alternatives


def _first_that_makes(
    kind: Any, parameters: dict[str, Tensor], options: dict[str, Any], alternatives: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Of several parametrisations at most one goes into the constructor; lazily computed ones may be there too."""
    reasons = []
    singly = [{name: value} for name, value in alternatives.items()]
    for chosen in [alternatives, *singly] if len(alternatives) != 1 else singly:
        try:
            kind(**parameters, **chosen, **options)
        except (TypeError, ValueError, RuntimeError) as error:
            reasons.append(str(error))
            continue
        return {**parameters, **chosen}
    raise ParameterError(f"{kind.__name__} cannot be taken apart ({reasons[0]}). {_INSTEAD}")


def _expanded(value: Tensor, batch_shape: torch.Size, constraint: Constraint | None) -> Tensor:
    """With all batch dimensions: a temperature, say, may have none of its own."""
    if value.dim() < len(batch_shape) and (constraint is None or constraint.event_dim == 0):
        return value.expand(batch_shape).clone()
    return value


def _single(value: Any, batch_shape: torch.Size) -> Any:
    """An option held as a tensor of the batch's shape, such as a total count, where it is one number throughout."""
    if (
        isinstance(value, Tensor)
        and value.shape == batch_shape
        and value.numel()
        and bool((value == value.max()).all())
    ):
        return value.flatten()[0].clone().double() if value.is_floating_point() else value.flatten()[0].clone()
    return value


def _constraints(law: td.Distribution) -> dict[str, Constraint]:
    try:
        return dict(law.arg_constraints)
    except NotImplementedError:
        return {}


def _is_discrete(constraint: Constraint | None) -> bool:
    return constraint is not None and bool(getattr(constraint, "is_discrete", False))


def _doubled(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().double().clone() for name, value in parameters.items()}
