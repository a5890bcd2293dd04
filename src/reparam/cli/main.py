"""The entry point: verbs, exit codes, and errors without tracebacks."""

import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from reparam.cli import check, compare, encode, evaluate, reconstruct, report, sample, train, vary
from reparam.errors import InputOutputError, ReparamError

__all__ = ["app", "main", "run"]

HELP = """Train a variational autoencoder on your own data, and use it.

Results go to stdout, progress to stderr. `reparam VERB --help` says what a verb does and shows an example.

Exit codes: 0 ok, 2 usage, 3 data, 4 run directory or checkpoint, 5 diverged, 6 input or output, 130 and 143
interrupted, 1 a check that failed, or anything else. --debug anywhere on the line shows the traceback of an error.
"""


class _Verb(typer.core.TyperCommand):
    def collect_usage_pieces(self, context: typer.Context) -> list[str]:  # type: ignore[override]
        """``RUN`` where Typer writes ``{RUN}``: what is not in brackets is needed."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(context)]


app = typer.Typer(help=HELP, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for verb in (
    train.train,
    evaluate.evaluate,
    encode.encode,
    reconstruct.reconstruct,
    sample.sample,
    vary.vary,
    report.report,
    check.check,
    compare.compare,
):
    app.command(cls=_Verb)(verb)


def run() -> None:
    """What the console script calls."""
    # A stream may be closed (`>&-`), or lack a sign in its encoding: neither is a reason to lose a result.
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = main(sys.argv[1:], program=_program(sys.argv[0]))
    try:
        sys.stdout.flush()
    except OSError:
        # What could not be written was told by main; Python would try once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def main(arguments: Sequence[str], *, program: str = "reparam") -> int:
    """Run one command line; returns its exit code.

    Args:
        arguments: what follows the program's name.
        program: how to call this program again, in messages.
    """
    debug = "--debug" in arguments
    try:
        code = _command([argument for argument in arguments if argument != "--debug"] or ["--help"], program)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has left (`reparam ... | head`): nobody to tell.
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the last to hear of it; --debug shows all
        if debug:
            traceback.print_exc()
        message, code = _verdict(error)
        # Messages quote commands as `reparam ...`, which may not be what the shell knows this program by.
        sys.stderr.write(f"error: {message}\n".replace("`reparam ", f"`{program} "))
    return code


def _command(arguments: list[str], program: str) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context(program, arguments) as context:
            command.invoke(context)
    except typer.Exit as error:
        return error.exit_code
    except Exception as error:
        # Typer carries its own copy of click, so a usage error is known by what it offers, not by its class.
        if not hasattr(error, "format_message"):
            raise
        raise _Usage(f"{error.format_message()}\nsee: {_help_of(error, program)}") from None
    return 0


class _Usage(ReparamError):
    exit_code = 2


def _help_of(error: Exception, program: str) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else program} --help"


def _verdict(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, ReparamError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}", InputOutputError.exit_code
    if isinstance(error, MemoryError) or "memory" in str(error):
        return "out of memory; a smaller --batch-size, --resize or --samples needs less", 1
    return f"unexpected {type(error).__name__}: {error}; --debug shows where it happened", 1


def _program(called: str) -> str:
    """What to type to call this program again: its name where the shell finds it by that, else its path."""
    if not Path(called).is_file():
        return "reparam"
    found = shutil.which(Path(called).name)
    return Path(called).name if found and os.path.samefile(found, called) else shlex.quote(called)
