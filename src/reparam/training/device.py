"""Where and in what precision a run computes, through ``accelerate``."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from reparam.errors import UsageError

__all__ = ["accelerator_for", "available_devices", "precision_of", "reproducible_kernels"]

_MIXED = {"float32": "no", "bfloat16": "bf16"}


def available_devices() -> list[str]:
    """Names that ``device`` accepts on this machine, beside ``auto``."""
    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices


def accelerator_for(device: str, precision: str) -> Any:
    """An ``accelerate.Accelerator`` on this device, with networks in this precision.

    Args:
        device: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the device computes in it.

    Raises:
        UsageError: no such device here; lists those there are. Never falls back to the CPU in silence.
    """
    devices = available_devices()
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", device):
        raise UsageError(f"device must be auto, cpu, cuda, cuda:N or mps, got '{device}'")
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in ("auto", *devices):
        raise UsageError(f"device '{device}' is not available here; available: {', '.join(devices)} (or auto)")

    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # accelerate keeps one state a process and refuses a second precision or device; each run of ours has its own.
    AcceleratorState._reset_state(reset_partial_state=True)
    if wanted.startswith("cuda"):
        torch.cuda.set_device(wanted)
    if precision == "auto":
        on_gpu = wanted.startswith("cuda") or (wanted == "auto" and torch.cuda.is_available())
        precision = "bfloat16" if _computes_in_bfloat16(on_gpu) else "float32"
    return Accelerator(cpu=wanted == "cpu", mixed_precision=_MIXED[precision])


def precision_of(accelerator: Any) -> str:
    """The precision an accelerator runs networks in: ``float32`` or ``bfloat16``."""
    return next(name for name, mixed in _MIXED.items() if mixed == accelerator.mixed_precision)


def _computes_in_bfloat16(on_gpu: bool) -> bool:
    if on_gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


@contextmanager
def reproducible_kernels() -> Iterator[None]:
    """Deterministic cuDNN kernels while a run trains; the process's own choice is put back."""
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before
