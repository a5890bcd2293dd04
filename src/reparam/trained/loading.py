"""From a run directory to the model in it. Nothing that is read can carry code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reparam.data.conditions import ConditionSchema
from reparam.data.scaling import Scaling
from reparam.data.schema import Schema
from reparam.errors import RunError, UsageError
from reparam.runs import Run
from reparam.trained.model import TrainedVAE
from reparam.training.device import accelerator_for
from reparam.vae import VAE, Architecture, assemble

__all__ = ["load"]


def load(path: str | Path, *, model: VAE | None = None, device: str = "cpu", checkpoint: str = "best") -> TrainedVAE:
    """The model of a run directory, ready to use. Loading never runs code from the directory.

    Args:
        path: the run directory.
        model: your own :class:`reparam.vae.VAE`, if the run was trained with one.
        device: ``cpu``, ``auto``, ``cuda``, ``cuda:N`` or ``mps``.
        checkpoint: ``"best"`` (by validation bound) or ``"latest"``.

    Raises:
        RunError: no run there, no checkpoint yet, a damaged one (named), or one that does not fit the model.
        UsageError: no such device or checkpoint.

    Example:
        >>> import reparam, tempfile
        >>> out = tempfile.mkdtemp() + "/digits"
        >>> _ = reparam.fit("digits", reparam.Settings(epochs=1, num_samples=5), out=out, progress=False)
        >>> reparam.load(out).encode("digits").loc.shape
        (1797, 32)
    """
    if checkpoint not in ("best", "latest"):
        raise UsageError(f"checkpoint must be 'best' or 'latest', got '{checkpoint}'")
    run = Run.open(path)
    schema, scaling = Schema.from_json(run.description["schema"]), Scaling.from_json(run.description["scaling"])
    network, condition = run.description["network"], run.description["condition"]
    if model is None:
        if network["kind"] == "custom":
            raise RunError(
                f"{path} was trained with a model of your own: load(path, model=...) needs the same model again"
            )
        model = _empty_model(network["architecture"])
    stored = run.load_checkpoint(checkpoint)  # type: ignore[arg-type]
    try:
        model.load_state_dict(stored.model)
    except RuntimeError as error:
        raise RunError(f"checkpoint {stored.step} of {path} does not fit the model: {error}") from None
    where = accelerator_for(device, "float32").device
    known = None if condition is None else ConditionSchema.from_json(condition)
    return TrainedVAE(model.to(where).eval(), schema, scaling, run, where, known)


def _empty_model(architecture: Mapping[str, Any]) -> VAE:
    with torch.random.fork_rng(devices=[]):
        return assemble(Architecture.from_json(architecture))
