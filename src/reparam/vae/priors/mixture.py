"""Priors with several modes: a learned mixture, and one made of the encoder's own posteriors."""

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from reparam import noise
from reparam.distributions import Independent, MixtureSameFamily, Normal
from reparam.errors import ParameterError, whole_number
from reparam.vae.conditional import Conditional
from reparam.vae.limits import soft_bound
from reparam.vae.posteriors import DiagonalNormal

__all__ = ["MixturePrior", "VampPrior"]


class MixturePrior(nn.Module):
    """A learned mixture of K diagonal Normals. It starts spread like N(0, I): modes close together, and wide.

    Args:
        num_components: K, at least 1.
        latent_dim: number of latent dimensions ``D``, at least 1.

    Example:
        >>> MixturePrior(5, 3)().log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """

    # Of the variance 1 that the prior starts with, the share between components: it breaks their symmetry.
    _between = 0.1

    def __init__(self, num_components: int, latent_dim: int) -> None:
        super().__init__()
        shape = torch.Size(
            [
                whole_number("MixturePrior: num_components", num_components, error=ParameterError),
                whole_number("MixturePrior: latent_dim", latent_dim, error=ParameterError),
            ]
        )
        start = noise.standard_normal(shape, like=torch.empty(())) * self._between**0.5
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.loc = nn.Parameter(start)
        self.raw_log_scale = nn.Parameter(torch.full(shape, (1 - self._between) ** 0.5).log())

    def forward(self) -> MixtureSameFamily:
        """The law, with batch shape ``[]`` and event shape ``[D]``."""
        scale = soft_bound(self.raw_log_scale, *DiagonalNormal.log_scale_bounds).exp()
        components = Independent(Normal(self.loc, scale, validate_args=False), 1, validate_args=False)
        weights = Categorical(logits=self.logits, validate_args=False)
        return MixtureSameFamily(weights, components, validate_args=False)


class VampPrior(nn.Module):
    """The mixture of the posteriors of K pseudo-inputs, which are learned: ``p(z) = 1/K Σ_k q(z | u_k)``.

    Tomczak & Welling 2018, arXiv:1705.07120, eq. 9. Each call encodes the pseudo-inputs anew. They stay within the
    range of the data, value by value: ``u = low + (high - low)·sigmoid(v)``.

    The encoder is the model's own, to which the prior only points: its weights are stored, moved and averaged with the
    model, and a copy of the model points to the encoder of the copy.

    Args:
        encoder: from ``[K, *event_shape]`` to a law with batch shape ``[K]`` that has a ``log_prob``.
        num_components: K, at least 1.
        event_shape: of one example.

    Example:
        >>> encoder = Conditional(nn.Linear(5, 6), DiagonalNormal())
        >>> prior = VampPrior(encoder, 10, (5,))
        >>> prior.start_at(torch.linspace(-1, 1, 200).reshape(40, 5))
        >>> prior().event_shape, [name for name, _ in prior.named_parameters()]
        (torch.Size([3]), ['raw_inputs'])
    """

    low: Tensor
    high: Tensor
    _logits: Tensor

    def __init__(self, encoder: Conditional, num_components: int, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        whole_number("VampPrior: num_components", num_components, error=ParameterError)
        # In a tuple, where torch does not look for submodules: weights would be stored twice.
        self._encoder = (encoder,)
        self.raw_inputs = nn.Parameter(
            noise.standard_normal(torch.Size([num_components, *event_shape]), like=torch.empty(()))
        )
        self.register_buffer("low", torch.zeros(event_shape))
        self.register_buffer("high", torch.ones(event_shape))
        self.register_buffer("_logits", torch.zeros(num_components), persistent=False)

    @property
    def inputs(self) -> Tensor:
        """The pseudo-inputs, ``[K, *event_shape]``."""
        return torch.lerp(self.low, self.high, torch.sigmoid(self.raw_inputs))

    @torch.no_grad()
    def start_at(self, x: Tensor, *, resolution: Tensor | None = None) -> None:
        """Start at K of these examples, ``[N, *event_shape]``, evenly spread over them; their range becomes the limits.

        Values at a limit start 1/50 of the range inside, where they can still move.

        Args:
            resolution: not needed here; other parts that start at data use it.
        """
        chosen = torch.linspace(0, len(x) - 1, len(self.raw_inputs)).round().long()
        self.low.copy_(x.amin(0))
        self.high.copy_(x.amax(0))
        span = self.high - self.low
        share = (x[chosen].to(self.low) - self.low) / torch.where(span > 0, span, 1.0)
        self.raw_inputs.copy_(torch.logit(share, eps=0.02))

    def forward(self) -> MixtureSameFamily:
        """The law, with batch shape ``[]`` and the event shape of the posteriors."""
        (encoder,) = self._encoder
        weights = Categorical(logits=self._logits, validate_args=False)
        return MixtureSameFamily(weights, encoder(self.inputs), validate_args=False)
