"""What can go wrong, by who can mend it; each class carries the exit code of the command line.

A message says what was expected, what came, where, and what to do. Every class is also the built-in error that a
Python programmer would catch (``ValueError``, ``TypeError``, ``OSError``).
"""

import difflib
import numbers
from collections.abc import Iterable

__all__ = [
    "DataError",
    "DivergedError",
    "EstimatorError",
    "InputOutputError",
    "Interrupted",
    "ParameterError",
    "ReparamError",
    "RunError",
    "SamplerError",
    "SeparatedModesWarning",
    "UsageError",
    "suggestion",
    "whole_number",
]


class ReparamError(Exception):
    """Base of all errors raised on purpose by this package."""

    exit_code = 1


class UsageError(ReparamError, ValueError):
    """An option, setting or argument that makes no sense; nothing was read or written."""

    exit_code = 2


class ParameterError(UsageError):
    """A parameter of a law that makes no sense: wrong value, shape or dtype, named by parameter and index."""


class EstimatorError(UsageError):
    """A gradient estimator that does not fit: to the law, to the function, or to what that returns."""


class SamplerError(UsageError):
    """A sampler that cannot be used so: a table, bound or log density that makes no sense, or a gradient it has not."""


class DataError(ReparamError, ValueError):
    """Data that cannot be used as it is: names the file, row or column, and what would mend it."""

    exit_code = 3


class RunError(ReparamError, ValueError):
    """A run directory or checkpoint that is missing, damaged, foreign, busy, or does not match."""

    exit_code = 4


class DivergedError(ReparamError, ArithmeticError):
    """A term of the loss or a gradient stopped being finite; raised before the update, so weights stay good."""

    exit_code = 5


class InputOutputError(ReparamError, OSError):
    """The operating system refused to read or write: permission, space, or something is in the way."""

    exit_code = 6


class Interrupted(ReparamError):
    """Training was asked to stop (Ctrl-C, SIGTERM) and saved a checkpoint first."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class SeparatedModesWarning(RuntimeWarning):
    """A pathwise gradient in the weights of a mixture whose modes are too far apart for it."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, or all of them.

    Example:
        >>> suggestion("epoch", ["epochs", "seed"])
        "did you mean 'epochs'?"
        >>> suggestion("zzz", ["epochs", "seed"])
        'known are: epochs, seed'
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(names)}"


def whole_number(name: str, value: int, *, least: int = 1, error: type["ReparamError"] = UsageError) -> int:
    """``value``, if it is a whole number of at least ``least``; what callers give is checked before anything is done.

    Raises:
        error: it is not.

    Example:
        >>> whole_number("num_samples", 0)
        Traceback (most recent call last):
        reparam.errors.UsageError: num_samples must be a whole number >= 1; got 0
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise error(f"{name} must be a whole number >= {least}; got {value!r}")
    return int(value)
