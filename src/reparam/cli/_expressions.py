"""Laws that are given as MODULE:EXPRESSION on the command line."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reparam.errors import UsageError, suggestion

if TYPE_CHECKING:
    import torch.distributions as td

__all__ = ["law_of"]


def law_of(text: str) -> "td.Distribution":
    """The law that an expression says: a law, or a function without arguments that makes one.

    Raises:
        UsageError: the text is no such expression, or says something else; or the module or expression fails.
    """
    import torch.distributions as td

    found = _evaluate(text)
    if callable(found) and not isinstance(found, td.Distribution):
        found = _call(found, text)
    if not isinstance(found, td.Distribution):
        raise UsageError(
            f"{text} is no torch distribution but a {type(found).__name__}; give a law, or a function without "
            "arguments that makes one"
        )
    return found


def _evaluate(text: str) -> Any:
    name, colon, expression = text.partition(":")
    if not colon or not expression.strip():
        raise UsageError(f"LAW must be MODULE:EXPRESSION, such as torch.distributions:Laplace(0.0, 1.0); got {text!r}")
    import torch

    with _here_first():
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise UsageError(f"cannot import {name}: {error}") from error
        try:
            return eval(expression, {"torch": torch, **vars(module)})
        except NameError as error:
            known = [entry for entry in vars(module) if not entry.startswith("_")]
            raise UsageError(f"{name}: {error}; {suggestion(str(error.name), known)[:200]}") from error
        except Exception as error:
            raise UsageError(f"{expression} cannot be evaluated: {type(error).__name__}: {error}") from error


def _call(make: Any, text: str) -> Any:
    try:
        return make()
    except Exception as error:
        raise UsageError(
            f"{text} is a function, and calling it without arguments raises {type(error).__name__}: {error}"
        ) from error


@contextmanager
def _here_first() -> Iterator[None]:
    """The current folder is where the user's own module is looked for."""
    before = list(sys.path)
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path[:] = before
