"""Errors are caught as what they are in Python, and carry the exit code of the command line."""

import signal

import numpy as np
import pytest

from reparam import errors


@pytest.mark.parametrize(
    ("kind", "built_in", "exit_code"),
    [
        (errors.UsageError, ValueError, 2),
        (errors.ParameterError, ValueError, 2),
        (errors.DataError, ValueError, 3),
        (errors.RunError, ValueError, 4),
        (errors.DivergedError, ArithmeticError, 5),
        (errors.InputOutputError, OSError, 6),
    ],
)
def test_each_error_is_a_built_in_one_with_an_exit_code(
    kind: type[errors.ReparamError], built_in: type[Exception], exit_code: int
) -> None:
    with pytest.raises(built_in, match="what and where") as caught:
        raise kind("what and where")
    assert isinstance(caught.value, errors.ReparamError)
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_exit_code_of_a_shell(number: int, exit_code: int) -> None:
    assert errors.Interrupted("stopped", number).exit_code == exit_code


def test_the_nearest_name_is_suggested() -> None:
    assert errors.suggestion("batchsize", ["batch_size", "seed"]) == "did you mean 'batch_size'?"
    assert errors.suggestion("colour", ["seed", "epochs"]) == "known are: epochs, seed"


@pytest.mark.parametrize("value", [0, -3, 1.0, True, "2", None])
def test_what_is_no_whole_number_is_refused_in_the_callers_own_error(value):
    with pytest.raises(errors.SamplerError, match=rf"^num_steps must be a whole number >= 1; got {value!r}$"):
        errors.whole_number("num_steps", value, error=errors.SamplerError)


@pytest.mark.parametrize("value", [2, np.int64(2)])
def test_whole_numbers_come_back_as_ints(value):
    assert type(errors.whole_number("levels", value, least=2)) is int
