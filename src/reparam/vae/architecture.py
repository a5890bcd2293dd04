"""What a built-in model is made of, in names and numbers: enough to build it again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Architecture"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The plan of a model; :func:`reparam.vae.assemble` builds it. Stored in ``run.json``.

    Args:
        event_shape: of one example: ``(C, H, W)`` for images, ``(D,)`` for rows.
        likelihood, posterior, prior, network: names in :mod:`reparam.vae.parts`.
        latent_dim: latent dimensions: degrees of freedom of a posterior; of the level that the decoder sees.
        width: hidden units of an MLP, or channels of a convolutional network at half the image's size.
        num_blocks: residual blocks (at each size of an image), or gated layers.
        dense_width: hidden units between convolutions and latents, 0 for none; ``None`` is 16 times ``width``.
        levels: number of levels of a value, where it has levels.
        num_features: numbers known about each example besides itself.
        exposure: whether expected counts are proportional to something known.
        posterior_rank: of a low-rank covariance.
        num_classes: values of a categorical latent.
        num_transforms: of the flows of posterior and prior; ``None`` is what suits each.
        flow_width: hidden units of each of the two layers of a flow's networks.
        prior_components: of mixtures; pseudo-inputs of a VampPrior.
        likelihood_components: of a mixture in each value.
    """

    event_shape: tuple[int, ...]
    likelihood: str
    latent_dim: int
    width: int
    network: str
    posterior: str = "diagonal-normal"
    prior: str = "standard"
    num_blocks: int = 2
    dense_width: int | None = None
    levels: int | None = None
    num_features: int = 0
    exposure: bool = False
    posterior_rank: int = 2
    num_classes: int = 10
    num_transforms: int | None = None
    flow_width: int = 64
    prior_components: int = 100
    likelihood_components: int = 5

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal architecture."""
        return asdict(self) | {"event_shape": list(self.event_shape)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Architecture":
        """The architecture that :meth:`to_json` described."""
        return cls(**{**entry, "event_shape": tuple(entry["event_shape"])})
