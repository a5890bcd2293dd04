"""Will the latents be worth their cost? A look at the data before training.

In a linear VAE (probabilistic PCA) a latent direction is used only if the data varies along it by more than the
decoder's noise: eigenvalue of the covariance > noise variance. Below that, ignoring the latents is the global optimum,
and no schedule for the KL changes it. Lucas, Tucker, Grosse & Norouzi 2019, arXiv:1911.02469, "Don't Blame the ELBO!".
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["CollapseCheck", "collapse_check"]

MOST_ROWS = 1000


@dataclass(frozen=True)
class CollapseCheck:
    """The spectrum of the data in units of the decoder's noise.

    Args:
        largest_ratio: largest eigenvalue of the covariance, over the noise variance.
        threshold: what pure noise of as many rows and columns would reach, ``(1 + sqrt(D / N))²`` (Marchenko &
            Pastur 1967).
        num_directions: eigenvalues above the threshold: latent dimensions worth having, to a linear model.
    """

    largest_ratio: float
    threshold: float
    num_directions: int

    @property
    def ok(self) -> bool:
        """Whether at least one direction stands out of the noise."""
        return self.num_directions > 0

    def to_json(self) -> dict[str, Any]:
        """The three numbers."""
        return asdict(self)

    def sentence(self, *, conditional: bool = False) -> str:
        """What it means, in one sentence; ``conditional`` if the data is what is left beside what is given."""
        beside = " beside what is given" if conditional else ""
        if self.ok:
            stand = "direction of the data stands" if self.num_directions == 1 else "directions of the data stand"
            return (
                f"pre-check:{beside} {self.num_directions} {stand} out of the decoder's noise (largest variance ratio "
                f"{self.largest_ratio:.3g}, noise alone reaches {self.threshold:.3g})"
            )
        if conditional:
            return (
                f"pre-check:{beside} no direction of the data stands out of the decoder's noise (largest variance "
                f"ratio {self.largest_ratio:.3g}, noise alone reaches {self.threshold:.3g}): the latents may stay "
                "unused, and the model is then a regression on what is given"
            )
        return (
            "pre-check: expect posterior collapse: no direction of the data stands out of the decoder's noise (largest "
            f"variance ratio {self.largest_ratio:.3g}, noise alone reaches {self.threshold:.3g}). The values hardly "
            "depend on each other, or the likelihood's scale is fixed too wide; no weight on the KL changes that"
        )


def collapse_check(x: Tensor, noise_variance: Tensor) -> CollapseCheck:
    """Compare the covariance spectrum of the data with the decoder's noise at the start of training.

    Shapes:
        x: ``[N, *X]``, noise_variance: broadcastable to ``[*X]``.

    Args:
        x: training examples as the model sees them; at most 1000 rows, evenly spaced, are looked at.
        noise_variance: variance of a value under the decoder when it ignores the latents. With a calibrated scale
            this is the variance of the value itself, so the spectrum is that of the correlation matrix. Values of
            no variance are left out.

    Example:
        >>> z = torch.linspace(-1, 1, 500)[:, None]
        >>> collapse_check(z * torch.ones(1, 8), torch.tensor(0.01)).ok
        True
        >>> collapse_check(z * torch.ones(1, 8), torch.tensor(100.0)).ok
        False
    """
    rows = x[torch.linspace(0, len(x) - 1, min(len(x), MOST_ROWS)).long()].flatten(1).double()
    spread = noise_variance.double().expand(x.shape[1:]).flatten().sqrt().cpu()
    rows = rows[:, spread > 0] / spread[spread > 0]
    num_rows, num_values = rows.shape
    if num_values == 0:
        return CollapseCheck(0.0, 1.0, 0)
    ratios = torch.linalg.svdvals(rows - rows.mean(0)).square() / num_rows
    threshold = (1 + math.sqrt(num_values / num_rows)) ** 2
    return CollapseCheck(ratios.max().item(), threshold, int((ratios > threshold).sum()))
