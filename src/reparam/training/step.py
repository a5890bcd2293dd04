"""One update, and the autopsy when a number in it is not finite."""

from typing import Any

import torch
from torch import Tensor, nn

from reparam.errors import DivergedError
from reparam.training.protocols import Loss, LossTerms, Rows
from reparam.training.state import TrainingState

__all__ = ["update"]


def update(
    state: TrainingState,
    accelerator: Any,
    loss: Loss,
    batch: Rows,
    row_numbers: Tensor,
    *,
    learning_rate: float,
    beta: float,
    gradient_clip: float,
    generator: torch.Generator,
) -> None:
    """One step of the optimiser on the loss; adds the batch's terms to ``state.sums``.

    Args:
        state: changed in place.
        accelerator: runs the networks in the run's precision.
        loss: what is minimised; batch: ``B`` rows.
        row_numbers: their numbers in the data (from 0), for messages.
        generator: where the posterior's draw comes from.

    Raises:
        DivergedError: a term or a gradient is not finite; raised before anything is changed.
    """
    with accelerator.autocast():
        terms = loss(state.model, batch, beta=beta, generator=generator)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    state.optimizer.zero_grad(set_to_none=True)
    accelerator.backward(terms.loss)
    norm = nn.utils.get_total_norm([gradient for _, gradient in _gradients(state.model)])
    # Looked at before clipping: a norm that is not finite would spoil every gradient, and hide which one it came from.
    if not torch.isfinite(terms.loss + norm):
        raise DivergedError(_autopsy(state, terms, row_numbers))
    nn.utils.clip_grads_with_norm_(state.model.parameters(), gradient_clip, norm)
    state.optimizer.step()
    state.average.update_parameters(state.model)
    parts = (terms.distortion, terms.rate, terms.bound)
    batch_sums = torch.stack([part.detach().sum() for part in parts]).double()
    state.sums += torch.cat([batch_sums, batch_sums.new_tensor([len(row_numbers)])])
    state.progress.step += 1


def _autopsy(state: TrainingState, terms: LossTerms, rows: Tensor) -> str:
    found = []
    for name, values in (("distortion", terms.distortion), ("rate", terms.rate)):
        bad = ~torch.isfinite(values.detach())
        if bad.any():
            which = rows.to(bad.device)[bad].tolist()
            found.append(
                f"{name} of rows {_some(which)} of the data (from 0; {int(bad.sum())} of {len(values)} in the batch)"
            )
    if not found:
        found.append(_autopsy_of_gradients(state.model))
    return (
        f"step {state.progress.step + 1}: not finite: {'; '.join(found)}. The update was not made and the last "
        "checkpoint is good. Look at those rows for extreme values; a lower learning_rate or gradient_clip helps when "
        "the rows are fine"
    )


def _autopsy_of_gradients(model: nn.Module) -> str:
    gradients = _gradients(model)
    names = [name for name, gradient in gradients if not torch.isfinite(gradient).all()]
    if names:
        return f"gradient of {_some(names)}"
    largest, name = max((gradient.abs().max().item(), name) for name, gradient in gradients)
    return f"norm of the gradient (largest entry {largest:.1e}, of {name})"


def _gradients(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, parameter.grad) for name, parameter in model.named_parameters() if parameter.grad is not None]


def _some(items: list[Any], most: int = 8) -> str:
    shown = ", ".join(map(str, items[:most]))
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
