"""The entry point: verbs, exit codes, and errors without tracebacks."""

import os
import sys
from collections.abc import Sequence

import typer

from reparam.cli import encode, evaluate, reconstruct, report, sample, train, vary
from reparam.errors import InputOutputError, ReparamError

__all__ = ["app", "main", "run"]

HELP = """Train a variational autoencoder on your own data, and use it.

Results go to stdout, progress to stderr. Exit codes: 0 ok, 2 usage, 3 data, 4 run directory or checkpoint, 5 diverged,
6 input or output, 130/143 interrupted. --debug anywhere on the line shows the traceback of an error.
"""

app = typer.Typer(help=HELP, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
for verb in (
    train.train,
    evaluate.evaluate,
    encode.encode,
    reconstruct.reconstruct,
    sample.sample,
    vary.vary,
    report.report,
):
    app.command()(verb)


def run() -> None:
    """What the console script calls."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    debug = "--debug" in arguments
    try:
        _command([argument for argument in arguments if argument != "--debug"])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has left (`reparam ... | head`): nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if debug:
            raise
        return _fail("interrupted", 130)
    except ReparamError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if debug:
            raise
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}", InputOutputError.exit_code)
    except MemoryError:
        if debug:
            raise
        return _fail("out of memory; a smaller --batch-size, --resize or --samples needs less", 1)
    return 0


def _command(arguments: list[str]) -> None:
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="reparam", standalone_mode=False)
    except Exception as error:
        # Typer carries its own copy of click, so a usage error is known by what it offers, not by its class.
        if not hasattr(error, "format_message"):
            raise
        raise _Usage(f"{error.format_message()}\nsee: {_help_of(error)}") from None
    if isinstance(code, int) and code:
        raise SystemExit(code)


class _Usage(ReparamError):
    exit_code = 2


def _help_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'reparam'} --help"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code
