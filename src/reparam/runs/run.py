"""The run directory: everything training leaves behind, how it is written, and how it is verified.

```
RUN/
  run.json             the description: format, status, settings, schema and scaling of the data, versions
  metrics.jsonl        one JSON object a line: step, epoch, split, terms in nats; see :mod:`reparam.runs.metrics`
  checkpoints/STEP/    see :mod:`reparam.runs.checkpoints`
  latest, best         the steps of two checkpoints
  evaluation.json, gallery.safetensors, report/    what was made of the trained model
```

Nothing in it can be executed, and nothing depends on the time, the machine's name or the process: equal
inputs give equal bytes, whether training was killed and resumed or not. Files are replaced whole, not
changed in place; only the metrics grow.
"""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import filelock
from torch import Tensor

from reparam import __version__
from reparam.errors import RunError, UsageError
from reparam.runs import files, formats, metrics
from reparam.runs.checkpoints import Checkpoint, Checkpoints
from reparam.runs.formats import FORMAT_VERSION
from reparam.runs.manifest import resume_command

__all__ = ["Run", "next_free", "refuse_existing"]

_DESCRIPTION = "run.json"
_METRICS = "metrics.jsonl"
_LOCK = ".lock"
_MAX_TENSOR_BYTES = 1 << 36


def next_free(parent: Path) -> Path:
    """The first of ``parent/1``, ``parent/2``, ... that does not exist; ``parent`` need not exist either.

    Example:
        >>> next_free(Path("no such folder")).name
        '1'
    """
    number = 1
    while os.path.lexists(parent / str(number)):
        number += 1
    return parent / str(number)


class Run:
    """One run directory; made by :meth:`create` or :meth:`open`.

    Attributes:
        path: the directory.
        description: the content of ``run.json``; change it by :meth:`update`.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run.create(Path(folder) / "digits", {"status": "training"})
        ...     run.append_metrics([{"step": 1, "elbo_nats": -93.1}])
        ...     run.write_checkpoint(1, {"w": torch.ones(2)}, {}, {"epoch": 1}, best=True)
        ...     Run.open(run.path).load_checkpoint("best").model
        {'w': tensor([1., 1.])}
    """

    def __init__(self, path: Path, description: dict[str, Any]) -> None:
        self.path = path
        self.description = description
        self._checkpoints = Checkpoints(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(cls, path: Path | str, description: Mapping[str, Any]) -> "Run":
        """Make a run directory, which appears at once with its ``run.json``; parents are made as needed.

        Args:
            path: must not exist.
            description: what ``run.json`` says besides the format and the version of reparam.

        Raises:
            RunError: there is something at ``path``; nothing is changed.
            InputOutputError: the system does not let us write there.
        """
        path = Path(path)
        refuse_existing(path)
        entries = {"format_version": FORMAT_VERSION, "reparam": __version__, **description}
        contents = formats.dump_json(entries, _DESCRIPTION)
        hint = "Nothing was trained; `--out` chooses the place of a run"
        with files.explained(f"create the run directory {path}", path, hint=hint), ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = files.temporary_sibling(path)
            undo.callback(files.discard, temporary)
            files.make_directory(temporary)
            files.write_new(temporary / _DESCRIPTION, contents)
            files.sync_directory(temporary)
            files.replace(temporary, path)
            undo.pop_all()
            files.sync_directory(path.parent)
        return cls(path, formats.load_object(contents, _DESCRIPTION))

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """An existing run directory.

        Raises:
            RunError: it does not exist, is no run directory, is damaged, or was written in another format.
            InputOutputError: the system does not let us read it.
        """
        path = Path(path)
        where = path / _DESCRIPTION
        with files.explained(f"open the run directory {path}", path):
            if not path.exists():
                raise RunError(f"run directory {path} does not exist; check the path")
            if not path.is_dir():
                raise RunError(f"{path} is not a directory; give the run directory, not a file")
            if not where.exists():
                raise RunError(f"{path} is not a run directory: it has no {_DESCRIPTION}; check the path")
        description = formats.load_object(files.read(where, limit=formats.MAX_JSON_BYTES), str(where))
        formats.check_format(description, str(where))
        return cls(path, description)

    def update(self, **fields: Any) -> None:
        """Change entries of the description and rewrite ``run.json``.

        Raises:
            RunError: a value has no form in JSON; nothing is changed.
            InputOutputError: the system refused; the old file is intact.
        """
        contents = formats.dump_json({**self.description, **fields}, _DESCRIPTION)
        self.write_bytes(_DESCRIPTION, contents)
        self.description = formats.load_object(contents, _DESCRIPTION)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing this run; a lock whose owner was killed does not count.

        Raises:
            RunError: another process (or another part of this one) holds it.
            InputOutputError: the directory is not writable.
        """
        path = self.path / _LOCK
        lock = filelock.FileLock(path)
        with files.explained(f"lock {self.path}", path):
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise RunError(
                    f"{self.path} is being written by another process; wait for it to end, or stop it, "
                    "or choose another place with --out"
                ) from error
        try:
            yield
        finally:
            # Removed while still held: who opened this file before us cannot win it any more (filelock sees
            # that it has lost its name and starts again), and who comes later makes a new one.
            files.discard(path)
            lock.release()

    def append_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add one line a record to ``metrics.jsonl``; the next checkpoint waits until they are on the disk.

        Raises:
            RunError: a number is not finite, or a value has no form in JSON; nothing is written.
            InputOutputError: the system refused; what was there before is intact.
        """
        metrics.append(self.path / _METRICS, records)

    def metrics_size(self) -> int:
        """Size of ``metrics.jsonl`` in bytes, for a checkpoint to note in its progress."""
        return metrics.size(self.path / _METRICS)

    def truncate_metrics(self, size: int) -> None:
        """Cut ``metrics.jsonl`` back to what it was when :meth:`metrics_size` was ``size`` bytes.

        Raises:
            RunError: the file is shorter, or no line ends there: it was changed since.
            InputOutputError: the system refused.
        """
        metrics.truncate(self.path / _METRICS, size)

    def metrics(self) -> list[dict[str, Any]]:
        """All records so far; a last line that is not whole is left out.

        Raises:
            RunError: a line is damaged, named by its number.
            InputOutputError: the system refuses.
        """
        return metrics.read(self.path / _METRICS)

    def write_checkpoint(
        self,
        step: int,
        model: Mapping[str, Tensor],
        training: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        *,
        best: bool,
    ) -> None:
        """Write a checkpoint, after the metrics so far are on the disk; keeps the latest two and the best.

        Args:
            step: number of updates made, 0 or more.
            model: the model's tensors, on any device.
            training: the other tensors needed to go on: raw weights, moments of the optimiser, sums.
            progress: the rest, as JSON.
            best: whether this is the best model so far.

        Raises:
            InputOutputError: the system refused (space, permission); earlier checkpoints are intact.
            RunError: a tensor or value has no form in the files.
            UsageError: ``step`` is not a natural number.
        """
        metrics.sync(self.path / _METRICS)
        self._checkpoints.write(step, model, training, progress, best=best)

    def checkpoint_steps(self) -> list[int]:
        """Steps of the checkpoints that are there, damaged ones included, in rising order."""
        return self._checkpoints.steps()

    def load_checkpoint(self, which: Literal["latest", "best"] | int) -> Checkpoint:
        """One checkpoint, every byte of it verified.

        Args:
            which: ``"latest"``, ``"best"`` or a step.

        Raises:
            RunError: there is none, or it is damaged; names the file, the reason and what to do.
            InputOutputError: the system does not let us read it.
        """
        return self._checkpoints.load(which)

    def load_latest_good(self) -> tuple[Checkpoint | None, list[str]]:
        """For resuming: the last checkpoint that verifies, and one message for each later one that does not.

        Returns:
            The checkpoint, or ``None`` if none verifies; without messages, there was none at all.
        """
        return self._checkpoints.load_latest_good()

    def clean(self) -> list[str]:
        """Bring to an end what a killed process left half-done; for the holder of the lock, before resuming.

        Removes everything temporary, lets ``latest`` and ``best`` name what was written just before the kill,
        and removes checkpoints no longer needed.

        Returns:
            The names, within the run, of what was removed as temporary.
        """
        with files.explained(f"tidy up {self.path}", self.path):
            found = []
            for folder, names, others in os.walk(self.path, onerror=_raise):
                found += [Path(folder) / name for name in names + others if name.startswith(files.TEMPORARY)]
                names[:] = [name for name in names if not name.startswith(files.TEMPORARY)]
            self._checkpoints.recover()
            for leftover in found:
                if os.path.lexists(leftover):
                    files.remove_tree(leftover)
        return sorted(leftover.relative_to(self.path).as_posix() for leftover in found)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write or replace one file, as a whole.

        Args:
            name: the file's name within the run; may contain folders, as in ``"report/index.html"``.
            data: its new content.

        Raises:
            UsageError: the name leads out of the run.
            InputOutputError: the system refused; an old file is intact.
        """
        path = self._inside(name)
        with files.explained(f"write {name}", path, num_bytes=len(data)):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(path, data)

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as strict JSON; see :meth:`write_bytes` and :func:`reparam.runs.formats.dump_json`."""
        self.write_bytes(name, formats.dump_json(value, name))

    def read_json(self, name: str) -> Any:
        """The value in a JSON file of the run.

        Raises:
            RunError: the file is missing or is not strict JSON of at most 16 MB.
        """
        return formats.load_json(self._read(name, formats.MAX_JSON_BYTES), str(self.path / name))

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """Write tensors and texts; see :meth:`write_bytes` and :func:`reparam.runs.formats.dump_tensors`."""
        self.write_bytes(name, formats.dump_tensors(tensors, metadata, name))

    def read_tensors(self, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
        """The tensors, on the CPU, and texts in a safetensors file of the run.

        Raises:
            RunError: the file is missing or damaged, or holds something else; it is never executed.
        """
        return formats.load_tensors(self._read(name, _MAX_TENSOR_BYTES), str(self.path / name))

    def _read(self, name: str, limit: int) -> bytes:
        path = self._inside(name)
        if not path.exists():
            raise RunError(
                f"{self.path} has no {name}: finish training ({resume_command(self.path)}), "
                f"or make it with `reparam evaluate {shlex.quote(str(self.path))}`"
            )
        return files.read(path, limit=limit)

    def _inside(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\0" in name:
            raise UsageError(f"{name!r} is not the name of a file inside a run directory")
        return self.path.joinpath(*parts)


def refuse_existing(path: Path | str) -> None:
    """Nothing if a run can be made at ``path``: what is there already is never overwritten.

    Raises:
        RunError: there is a file, a run, or another directory; says which, and what to do.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise RunError(f"{path} exists and is a file; choose another name with --out")
    if (path / _DESCRIPTION).exists():
        raise RunError(
            f"{path} exists and holds a run: go on with it by {resume_command(path)}, or choose another name with --out"
        )
    raise RunError(f"{path} exists and is not a run directory; choose another name with --out")


def _raise(error: OSError) -> None:
    raise error
