"""Rows on the device, as the model sees them: no example is touched by Python."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from reparam import noise
from reparam.training.protocols import Rows

__all__ = ["DeviceFeed"]


class DeviceFeed:
    """Rows held on the device, scaled and binarised when they are gathered.

    Args:
        values: ``[N, *X]``: ``uint8`` levels, or floats that are scaled already.
        levels: number of levels of ``uint8`` values, which become ``level / (levels - 1)`` in [0, 1]; ``None`` for
            floats.
        binarize: ``"dynamic"``: each time a row is seen, each value becomes 1 with the probability it states
            (Salakhutdinov & Murray 2008); ``"static"``: once, here; ``"none"``.
        seed: decides the static draw, and the draws of :meth:`in_order`.
        name: of the split, so that no two splits share draws.
        features: ``[N, C]``, what is known of each row besides; exposure: ``[N]``, what its counts are proportional to.
        row_numbers: ``[N]``, what people call these rows (in the data they come from); default: 0, 1, 2, ...
        device: where the rows live; they stay in main memory when they would fill more than half of what is free.

    Example:
        >>> feed = DeviceFeed(torch.tensor([[0, 255]], dtype=torch.uint8), levels=256, seed=0, name="train")
        >>> feed.gather(torch.tensor([0, 0]), None).x
        tensor([[0., 1.],
                [0., 1.]])
    """

    def __init__(
        self,
        values: Tensor,
        *,
        levels: int | None = None,
        binarize: Literal["dynamic", "static", "none"] = "none",
        seed: int,
        name: str,
        features: Tensor | None = None,
        exposure: Tensor | None = None,
        row_numbers: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.row_numbers = torch.arange(len(values)) if row_numbers is None else row_numbers
        self.device = torch.device(device)
        self.top = None if levels is None else levels - 1
        self.dynamic = binarize == "dynamic"
        self.seed, self.name = seed, name
        if binarize == "static":
            generator = noise.generator(seed, "static", name)
            values = torch.cat(
                [noise.bernoulli(self._scaled(part), generator=generator).byte() for part in values.split(4096)]
            )
            self.top = 1
        self.values = values.to(self.device) if _fits(values, self.device) else values
        self.features, self.exposure = features, exposure

    def __len__(self) -> int:
        return len(self.values)

    def gather(self, rows: Tensor, generator: torch.Generator | None) -> Rows:
        """These rows, ``x`` being ``[B, *X]`` in float32; ``generator`` decides dynamic binarisation."""
        x = self._scaled(self.values[rows.to(self.values.device)].to(self.device))
        known = (
            None if values is None else values[rows.to(values.device)].to(self.device)
            for values in (self.features, self.exposure)
        )
        return Rows(noise.bernoulli(x, generator=generator) if self.dynamic else x, *known)

    def in_order(self, batch_size: int) -> Iterator[Rows]:
        """All rows in order, in batches; with the same batch size, the same draws each time."""
        generator = noise.generator(self.seed, "in order", self.name, device=self.device)
        for rows in torch.arange(len(self)).split(batch_size):
            yield self.gather(rows, generator)

    def _scaled(self, values: Tensor) -> Tensor:
        return values.float() if self.top is None else values.float() / self.top


def _fits(values: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return values.nbytes < free / 2
