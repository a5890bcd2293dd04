"""Sizes of parts, checked where the parts are made."""

from reparam.errors import ParameterError

__all__ = ["whole_number"]


def whole_number(who: str, name: str, value: int, *, least: int = 1) -> int:
    """``value``, if it is a whole number of at least ``least``.

    Raises:
        ParameterError: it is not.

    Example:
        >>> whole_number("FullNormal", "latent_dim", 3)
        3
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ParameterError(f"{who}: {name} must be a whole number >= {least}; got {value!r}")
    return value
