"""Everything that changes while a run trains, and how it becomes tensors in a checkpoint and back.

Random numbers are not part of it: each one follows from (seed, purpose, step), see :func:`reparam.noise.generator`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from reparam.errors import RunError
from reparam.training.protocols import Checkpoint

__all__ = ["Progress", "TrainingState"]

Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass
class Progress:
    """Where a run is, in numbers small enough for the checkpoint's manifest.

    Args:
        step: steps done.
        best_step, best_bound_nats: evaluation with the highest validation bound so far.
        evaluations_since_best: evaluations after the KL warm-up without a better one.
        metrics_size: bytes of metrics written so far; what a killed run wrote beyond it is cut off.
        stopped_early: whether patience ran out.
    """

    step: int = 0
    best_step: int | None = None
    best_bound_nats: float | None = None
    evaluations_since_best: int = 0
    metrics_size: int = 0
    stopped_early: bool = False


@dataclass
class TrainingState:
    """Model, running average of its weights, optimiser, sums since the last evaluation, and progress."""

    model: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    sums: Tensor
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def start(
        cls,
        model: nn.Module,
        *,
        average_decay: float,
        learning_rate: float,
        device: torch.device,
        weight_decay: float = 0.0,
    ) -> "TrainingState":
        """A run at step 0, with AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
        model.to(device)

        def blend(averaged: Tensors, current: Tensors, num_averaged: Tensor | int) -> None:
            decay = min(average_decay, (1 + int(num_averaged)) / (10 + int(num_averaged)))
            torch._foreach_lerp_(averaged, current, 1 - decay)

        average = AveragedModel(model, multi_avg_fn=blend)
        layers = [parameter for name, parameter in model.named_parameters() if _is_of_a_layer(name, parameter)]
        others = [parameter for name, parameter in model.named_parameters() if not _is_of_a_layer(name, parameter)]
        optimizer = torch.optim.AdamW(
            [{"params": layers, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=learning_rate,
            fused=device.type in ("cpu", "cuda"),
        )
        return cls(model, average, optimizer, torch.zeros(4, dtype=torch.float64, device=device))

    def averaged_weights(self) -> dict[str, Tensor]:
        """The weights that are evaluated and kept: what ``model.safetensors`` holds."""
        return dict(self.average.module.state_dict())

    def training_tensors(self) -> dict[str, Tensor]:
        """What has to be known to go on: what ``training.safetensors`` holds."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {"average.count": self.average.n_averaged, "sums": self.sums}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        return tensors

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to the moment of a checkpoint, bit for bit.

        Raises:
            RunError: the checkpoint belongs to another model; names the first tensor that does not fit.
        """
        ours = self.training_tensors()
        for name, value in ours.items():
            theirs = checkpoint.training.get(name)
            if theirs is None or theirs.shape != value.shape or theirs.dtype != value.dtype:
                found = "nothing" if theirs is None else f"{theirs.dtype} {tuple(theirs.shape)}"
                raise RunError(
                    f"checkpoint {checkpoint.step} is of another model: expected '{name}' as {value.dtype} "
                    f"{tuple(value.shape)}, found {found}"
                )
        tensors = checkpoint.training
        for name in tensors:
            if name.startswith("model.") and name not in ours:
                raise RunError(f"checkpoint {checkpoint.step} is of another model: this one has no '{name}'")
        self.model.load_state_dict({name: tensors[f"model.{name}"] for name in self.model.state_dict()})
        self.average.module.load_state_dict(checkpoint.model)
        self.average.n_averaged.copy_(tensors["average.count"])
        self.sums.copy_(tensors["sums"])
        self._restore_optimizer(tensors)
        self.progress = Progress(**checkpoint.progress)

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        fused = self.optimizer.defaults["fused"]
        for name, parameter in self.model.named_parameters():
            state: dict[str, Any] = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                stored = tensors.get(f"optimizer.{key}.{name}")
                if stored is None:
                    break
                # Moments keep the parameter's memory layout, and the count of steps its device: the fused update walks
                # through all of them together.
                fresh = torch.zeros_like(stored) if key == "step" else torch.zeros_like(parameter)
                state[key] = fresh.to(parameter.device if fused else fresh.device).copy_(stored)
            if state:
                self.optimizer.state[parameter] = state


def _is_of_a_layer(name: str, parameter: Tensor) -> bool:
    # Linear and convolutional layers decay; biases, norms, offsets and scales of laws, pseudo-inputs of priors do not.
    return name.rpartition(".")[2] == "weight" and parameter.dim() > 1
