"""Numbers that callers give, checked before anything is computed."""

from reparam.errors import UsageError

__all__ = ["whole_number"]


def whole_number(name: str, value: int, *, least: int = 1) -> int:
    """``value``, if it is a whole number of at least ``least``.

    Raises:
        UsageError: it is not.

    Example:
        >>> whole_number("num_samples", 0)
        Traceback (most recent call last):
        reparam.errors.UsageError: num_samples must be a whole number >= 1; got 0
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number >= {least}; got {value!r}")
    return value
