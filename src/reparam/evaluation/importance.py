"""Importance weights, fast: each example is encoded once, and its draws are decoded in batches that fit the caches.

Per example ``log w_s = log p(x|z_s) + log p(z_s) - log q(z_s|x)``, ``z_s ~ q(z|x)``: the same numbers as
:func:`reparam.vae.importance_log_weights`, by fewer passes over memory. The decoder's network may run in bfloat16;
laws, densities and sums are float32 at least (``reparam.vae.Conditional`` widens what a network gives).

Shape letters: S draws, B batch, D latent, X data.
"""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from reparam import noise
from reparam.distributions import Bernoulli
from reparam.errors import UsageError, whole_number
from reparam.vae import LatentVariableModel, draw_with_log_prob, in_parts

__all__ = ["Precision", "effective_sample_size", "event_log_prob", "fast_log_weights"]

Precision = Literal["float32", "bfloat16"]

# What the layers of a decoder may make of the draws decoded at once: fastest on two cores for 28 x 28 images, with an
# MLP and with convolutions, in either precision.
VALUES_AT_ONCE = 15_000_000

# Draws whose latents are kept at once, with their densities.
DRAWS_AT_ONCE = 10_000

# A factor sigmoid(|l|) is at least 1/2, and float32 is exact down to 2^-126. 28 x 28 is 7 groups.
GROUP = 112

# Values that stay in the second cache while a law and its density make several passes over them.
VALUES_IN_CACHE = 400_000


@runtime_checkable
class InTwoHalves(Protocol):
    """A conditional law whose network and whose law can be asked for one after the other."""

    def outputs(self, z: Tensor, /) -> Tensor: ...

    def law(self, outputs: Tensor, /) -> td.Distribution: ...


@torch.no_grad()
def fast_log_weights(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int,
    *,
    generator: torch.Generator,
    precision: Precision = "float32",
    draws_at_once: int | None = None,
) -> Tensor:
    """Log importance weights of ``S`` draws of each example, without gradient.

    Shapes:
        x: ``[B, *X]``; the result is ``[S, B]``, float64, in nats.

    Args:
        model: encoder, prior and decoder, each a law; the posterior needs ``sample(generator=)`` and ``log_prob``.
        num_samples: draws ``S`` an example, at least 1.
        precision: of the decoder's network alone. bfloat16 keeps 8 bits of what a layer gives, and sums in float32.
        draws_at_once: decoded in one batch; decides memory and speed. Default: as many as keep the values of a batch in
            the caches of a processor.

    Raises:
        UsageError: a number or the precision makes no sense.

    Example:
        >>> from reparam import noise
        >>> from reparam.vae import Architecture, assemble
        >>> model = assemble(
        ...     Architecture(event_shape=(6,), likelihood="bernoulli", latent_dim=2, network="residual-mlp", width=8)
        ... )
        >>> fast_log_weights(model, torch.ones(5, 6), 3, generator=noise.generator(0)).shape
        torch.Size([3, 5])
    """
    _require(num_samples, precision, draws_at_once)
    if draws_at_once is None:
        draws_at_once = min(max(VALUES_AT_ONCE // _values_of_a_draw(model, x), 64), 8192)
    rows = min(max(DRAWS_AT_ONCE // num_samples, 1), draws_at_once)
    parts = [
        _block(given, part, num_samples, generator, precision, draws_at_once)
        for given, part in in_parts(model, x, rows)
    ]
    return torch.cat(parts, dim=1)


def _values_of_a_draw(model: LatentVariableModel, x: Tensor) -> int:
    """How many values the modules of the decoder give for one draw, together."""
    given, one = next(in_parts(model, x, 1))
    z, _ = draw_with_log_prob(given.encoder(one), 1, generator=noise.generator(0, device=x.device))
    values = one.numel()

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal values
        values += output.numel() if isinstance(output, Tensor) else 0

    counting = register_module_forward_hook(count)
    try:
        given.decoder(z.flatten(0, 1))
    finally:
        counting.remove()
    return values


def _block(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int,
    generator: torch.Generator,
    precision: Precision,
    draws_at_once: int,
) -> Tensor:
    posterior = model.encoder(x)
    z_SBD, log_q_SB = draw_with_log_prob(posterior, num_samples, generator=generator)
    log_ratio = model.prior().log_prob(z_SBD).double() - log_q_SB.double()
    rows = max(VALUES_IN_CACHE // x.numel(), 1) * len(x)
    found = []
    for z in z_SBD.split(max(draws_at_once // len(x), 1)):
        for law in _decoded(model.decoder, z.flatten(0, 1), rows, precision):
            found.append(event_log_prob(law, x))
    return torch.cat(found).double() + log_ratio


def _decoded(
    decoder: Callable[[Tensor], td.Distribution], z: Tensor, rows: int, precision: Precision
) -> Iterator[td.Distribution]:
    """The laws of so many rows each, of one pass through the network."""
    bfloat16 = torch.autocast(z.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    if isinstance(decoder, InTwoHalves):
        with bfloat16:
            outputs = decoder.outputs(z)
        for part in outputs.split(rows):
            yield decoder.law(part)
    else:
        with bfloat16:
            law = decoder(z)
        yield law


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """``(Σ_s w_s)² / Σ_s w_s²``: how many equal weights would tell as much.

    Shapes:
        log_weights: ``[S, B]``; the result is ``[B]``, between 1 and S.

    Example:
        >>> effective_sample_size(torch.tensor([[0.0, 0.0], [0.0, -100.0]]))
        tensor([2., 1.])
    """
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()


def event_log_prob(law: td.Distribution, x: Tensor) -> Tensor:
    """``log p(x|z)`` of ``S`` draws of each example, without gradient; in fewer passes for a Bernoulli law.

    With logits l: ``Σ x·l - max(l, 0) + log sigmoid(|l|)``. The last sum is the logarithm of a product, taken over
    groups of values that cannot underflow, so that there is one logarithm for each group and not for each value. Each
    factor is rounded to 6e-8, so that a sum over X values is off by at most 6e-8·X nats.

    Shapes:
        law: batch shape ``[S·B]``, event shape ``[*X]``; x: ``[B, *X]``; the result is ``[S, B]``.

    Example:
        >>> from reparam.distributions import Bernoulli, Independent
        >>> law = Independent(Bernoulli(logits=torch.zeros(2, 3), validate_args=False), 1)
        >>> event_log_prob(law, torch.ones(1, 3)).T, law.log_prob(torch.ones(1, 3))
        (tensor([[-2.0794, -2.0794]]), tensor([-2.0794, -2.0794]))
    """
    if isinstance(law, td.Independent) and isinstance(law.base_dist, Bernoulli) and "logits" in law.base_dist._given:
        return _bernoulli(law.base_dist.logits.reshape(-1, len(x), x[0].numel()), x.flatten(1))
    repeated = x.expand(law.batch_shape[0] // len(x), *x.shape).flatten(0, 1)
    return law.log_prob(repeated).reshape(-1, len(x))


def _bernoulli(logits_SBX: Tensor, x_BX: Tensor) -> Tensor:
    scratch = logits_SBX.clamp(min=0)
    log_prob = scratch.addcmul_(logits_SBX, x_BX, value=-1).sum(-1).neg_()
    factors = torch.abs(logits_SBX, out=scratch).sigmoid_()
    num_values = x_BX.shape[1]
    whole = num_values - num_values % GROUP
    log_prob += factors[..., :whole].unflatten(-1, (-1, GROUP)).prod(-1).log_().sum(-1)
    log_prob += factors[..., whole:].prod(-1).log_()
    return log_prob


def _require(num_samples: int, precision: str, draws_at_once: int | None) -> None:
    whole_number("num_samples", num_samples)
    if draws_at_once is not None:
        whole_number("draws_at_once", draws_at_once)
    if precision not in get_args(Precision):
        raise UsageError(f"precision must be one of {', '.join(map(repr, get_args(Precision)))}; got {precision!r}")
