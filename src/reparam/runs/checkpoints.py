"""The checkpoints of a run: complete and verified, or not visible at all.

```
RUN/checkpoints/STEP/   model.safetensors, training.safetensors, manifest.json: see :mod:`reparam.runs.manifest`
RUN/latest, RUN/best    text files with the step of one of them
```

A checkpoint is written into a temporary folder, its manifest last, and renamed; then ``best`` and
``latest`` move; only then older ones go, and only once two that verify are there. Checkpoints are ordered
by their steps; no clock is read.
"""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from reparam.errors import InputOutputError, RunError, UsageError
from reparam.runs import files, formats, manifest

__all__ = ["BEST", "CHECKPOINTS", "LATEST", "Checkpoint", "Checkpoints"]

CHECKPOINTS = "checkpoints"
LATEST = "latest"
BEST = "best"

_STEP = re.compile(r"0|[1-9][0-9]{0,17}")
_ASIDE = f"{files.TEMPORARY}old-"


@dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds.

    Args:
        step: number of updates made when it was written.
        model: the model's tensors, on the CPU.
        training: everything else that is a tensor: raw weights, moments of the optimiser, sums.
        progress: everything that is not, as JSON: position in the data, best value, size of the metrics.
    """

    step: int
    model: dict[str, Tensor]
    training: dict[str, Tensor]
    progress: dict[str, Any]


class Checkpoints:
    """The checkpoints below one run directory.

    Args:
        run: the run directory; ``run/checkpoints`` appears with the first checkpoint.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = run / CHECKPOINTS

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, damaged ones included, in rising order."""
        if not self.folder.is_dir():
            return []
        with files.explained("list the checkpoints", self.folder):
            names = [entry.name for entry in self.folder.iterdir()]
        return sorted(int(name) for name in names if _STEP.fullmatch(name))

    def write(
        self,
        step: int,
        model: Mapping[str, Tensor],
        training: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        *,
        best: bool,
    ) -> None:
        """Add a checkpoint, let ``latest`` (and ``best``) name it, and remove those no longer needed.

        Kept are the latest two and the best. A checkpoint of the same step that says the same is left as it
        is; checkpoints of later steps belong to a course that was given up, and go.

        Raises:
            InputOutputError: the system refused; every earlier checkpoint is intact.
            RunError: a value has no form in the files, or what was written cannot be read back.
            UsageError: ``step`` is not a natural number.
        """
        if isinstance(step, bool) or not isinstance(step, int) or not _STEP.fullmatch(str(step)):
            raise UsageError(f"a checkpoint's step is a number of updates, 0, 1, 2, ..., not {step!r}")
        contents = manifest.encode(step, model, training, progress, best=best)
        with files.explained(
            f"write the checkpoint of step {step}",
            self.run,
            hint=f"Earlier checkpoints are intact: go on with {manifest.resume_command(self.run)}",
            num_bytes=sum(map(len, contents.values())),
        ):
            if not self._holds(step, contents):
                self._place(step, contents)
            self._settle(step, best=best)

    def load(self, which: Literal["latest", "best"] | int) -> Checkpoint:
        """One checkpoint, verified: manifest, names, sizes, SHA-256, then the tensors.

        Raises:
            RunError: there is none, or it is damaged; names the file and the reason.
        """
        step = self._pointer(which) if isinstance(which, str) else which
        if step is None:
            raise RunError(
                f"{self.run} has no '{which}' checkpoint: training stopped before it wrote the first one. "
                f"Go on with {manifest.resume_command(self.run)}"
            )
        if step not in self.steps():
            there = ", ".join(map(str, self.steps())) or "none"
            by = f", which {self.run / which} names," if isinstance(which, str) else ""
            raise RunError(f"{self.folder / str(step)}{by} does not exist. Checkpoints that do: {there}")
        folder = self.folder / str(step)
        entries, contents = manifest.read(folder)
        model, _ = formats.load_tensors(contents[manifest.MODEL], str(folder / manifest.MODEL))
        training, _ = formats.load_tensors(contents[manifest.TRAINING], str(folder / manifest.TRAINING))
        return Checkpoint(step, model, training, entries["progress"])

    def load_latest_good(self) -> tuple[Checkpoint | None, list[str]]:
        """The last checkpoint that verifies, whatever ``latest`` says, and what is wrong with later ones."""
        messages: list[str] = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), messages
            except (RunError, InputOutputError) as error:
                messages.append(str(error))
        return None, messages

    def recover(self) -> None:
        """Bring to an end what a killed :meth:`write` had begun; damaged checkpoints are left to be reported.

        Raises:
            InputOutputError: the system refused.
            RunError: ``best`` is damaged.
        """
        for aside in self.folder.glob(f"{_ASIDE}*"):
            step = aside.name.removeprefix(_ASIDE).partition("-")[0]
            if _STEP.fullmatch(step) and not os.path.lexists(self.folder / step):
                files.replace(aside, self.folder / step)
        steps = self.steps()
        if not steps:
            return
        try:
            newest, _ = manifest.read(self.folder / str(steps[-1]))
        except RunError:
            return
        self._settle(steps[-1], best=newest["best"])

    def _place(self, step: int, contents: Mapping[str, bytes]) -> None:
        if not self.folder.is_dir():
            files.make_directory(self.folder)
            files.sync_directory(self.run)
        target = self.folder / str(step)
        temporary = self.folder / f"{files.TEMPORARY}{step}-{os.getpid()}"
        aside = self.folder / f"{_ASIDE}{step}-{os.getpid()}"
        for leftover in (temporary, aside):
            if os.path.lexists(leftover):  # of a killed process that had the same number
                files.remove_tree(leftover)
        with ExitStack() as undo:
            undo.callback(files.discard, temporary)
            files.make_directory(temporary)
            for name, data in contents.items():
                files.write_new(temporary / name, data)
            files.sync_directory(temporary)
            if os.path.lexists(target):
                files.replace(target, aside)
                undo.callback(files.replace, aside, target)
            files.replace(temporary, target)
            undo.pop_all()
        files.sync_directory(self.folder)
        if os.path.lexists(aside):
            files.remove_tree(aside)

    def _holds(self, step: int, contents: Mapping[str, bytes]) -> bool:
        """Whether an intact checkpoint of this step says the same."""
        if step not in self.steps():
            return False
        try:
            there, _ = manifest.read(self.folder / str(step))
        except RunError:
            return False
        new = formats.load_object(contents[manifest.MANIFEST], manifest.MANIFEST)
        return all(there[key] == new[key] for key in ("files", "progress"))

    def _settle(self, step: int, *, best: bool) -> None:
        """Make the newest checkpoint the official one, then remove what is no longer needed."""
        for name in [BEST, LATEST] if best else [LATEST]:
            line = f"{step}\n".encode()
            pointer = self.run / name
            if not pointer.exists() or files.read(pointer, limit=1000) != line:
                files.write_atomic(pointer, line)
        self._prune(step)

    def _prune(self, newest: int) -> None:
        earlier = sorted((step for step in self.steps() if step < newest), reverse=True)
        spare = set(self.steps()) - {newest, self._pointer(BEST)}
        if spare <= set(earlier[:1]):
            return
        manifest.read(self.folder / str(newest))  # nothing goes before its successor was read back
        second = next((step for step in earlier if self._is_good(step)), None)
        for step in sorted(spare - {second}):
            # Renamed first: a kill while deleting must not leave half a checkpoint under a real name.
            gone = self.folder / f"{files.TEMPORARY}gone-{step}-{os.getpid()}"
            if os.path.lexists(gone):
                files.remove_tree(gone)
            files.replace(self.folder / str(step), gone)
            files.remove_tree(gone)

    def _is_good(self, step: int) -> bool:
        try:
            manifest.read(self.folder / str(step))
        except RunError:
            return False
        return True

    def _pointer(self, name: str) -> int | None:
        path = self.run / name
        if not path.exists():
            return None
        text = files.read(path, limit=1000).decode(errors="replace")
        if not _STEP.fullmatch(text.removesuffix("\n")):
            there = ", ".join(map(str, self.steps())) or "none"
            raise RunError(f"{path} is damaged: it says {text!r}; write the step of a checkpoint into it ({there})")
        return int(text)
