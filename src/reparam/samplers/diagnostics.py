"""Have the chains mixed, and how much do their draws tell: R-hat, effective sample size, Monte Carlo error.

All functions take draws ``[T, chains, *event]``, at least four of each chain, and return ``[*event]`` in float64. Each
chain is split in half first, so that a trend within a chain is seen as two chains that differ. Where *rank-normalised*
is said, draws are replaced by the normal quantiles of their ranks, so that no moments need exist.

Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner, arXiv:1903.08008; the autocorrelations are cut where Geyer,
Statist. Sci. 7 (1992) 473-483, says.
"""

import math

import torch
from torch import Tensor

from reparam.errors import SamplerError

__all__ = [
    "bulk_effective_sample_size",
    "effective_sample_size",
    "r_hat",
    "standard_error",
    "tail_effective_sample_size",
]


def r_hat(draws: Tensor) -> Tensor:
    """Split, rank-normalised R-hat: 1 where chains agree; the larger of that of the draws and of their spread.

    Above 1.01 chains have not mixed: run longer, or with another kernel. Draws that never move and agree give 1, chains
    that stand still at different places inf.

    Example:
        >>> draws = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
        >>> r_hat(draws) < 1.02, r_hat(draws + torch.tensor([0.0, 0.0, 0.0, 2.0])) > 1.1
        (tensor(True), tensor(True))
    """
    halves = _split(draws)
    median = halves.flatten(0, 1).median(0).values
    return torch.maximum(_r_hat(_normal_ranks(halves)), _r_hat(_normal_ranks((halves - median).abs())))


def effective_sample_size(draws: Tensor) -> Tensor:
    """How many independent draws would give the mean of these as exactly; may be above their number.

    Draws that never move count as independent.

    Example:
        >>> draws = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))
        >>> twice = draws.repeat_interleave(2, 0)  # 16000 draws that tell as much as 8000
        >>> 7000 < effective_sample_size(draws) < 9000, 7000 < effective_sample_size(twice) < 9000
        (tensor(True), tensor(True))
    """
    return _effective(_split(draws))


def bulk_effective_sample_size(draws: Tensor) -> Tensor:
    """Of the rank-normalised draws: how well the middle of the law is known. 400 for all chains together is little.

    Example:
        >>> draws = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
        >>> bulk_effective_sample_size(draws) == bulk_effective_sample_size(draws.exp())  # ranks are the same
        tensor(True)
    """
    return _effective(_normal_ranks(_split(draws)))


def tail_effective_sample_size(draws: Tensor) -> Tensor:
    """How well the 5 % and 95 % quantiles are known: the smaller of the effective numbers for the two.

    Example:
        >>> draws = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
        >>> tail_effective_sample_size(draws) > 400
        tensor(True)
    """
    halves = _split(draws)
    levels = torch.tensor([0.05, 0.95], dtype=torch.float64, device=halves.device)
    low, high = halves.flatten(0, 1).quantile(levels, dim=0)
    return torch.minimum(_effective((halves <= low).double()), _effective((halves <= high).double()))


def standard_error(draws: Tensor) -> Tensor:
    """The Monte Carlo standard error of the mean: the standard deviation over the root of the effective sample size.

    For the error of another expectation, give that function of the draws: ``standard_error((draws - mean) ** 2)`` is
    that of the variance.

    Example:
        >>> draws = torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
        >>> standard_error(draws).round(decimals=2)
        tensor(0.0100, dtype=torch.float64)
    """
    halves = _split(draws)
    return halves.flatten(0, 1).std(0) / _effective(halves).sqrt()


def _split(draws: Tensor) -> Tensor:
    """Halves of chains as chains, ``[T // 2, 2·chains, *event]``, float64."""
    if not isinstance(draws, Tensor) or draws.dim() < 2 or draws.shape[0] < 4 or draws.shape[1] < 1:
        got = tuple(draws.shape) if isinstance(draws, Tensor) else type(draws).__name__
        raise SamplerError(f"draws must be a tensor [T, chains, *event] with T >= 4 and at least one chain; got {got}")
    if not bool(draws.isfinite().all()):
        raise SamplerError("draws must be finite")
    half, draws = len(draws) // 2, draws.detach().double()
    return torch.cat([draws[:half], draws[-half:]], 1)


def _normal_ranks(draws: Tensor) -> Tensor:
    """The normal quantile of ``(rank - 3/8) / (n + 1/4)``; ties get the mean of their ranks."""
    columns = draws.flatten(0, 1).reshape(draws.shape[0] * draws.shape[1], -1).T.contiguous()
    ordered = columns.sort(-1).values
    below = torch.searchsorted(ordered, columns, right=False)
    up_to = torch.searchsorted(ordered, columns, right=True)
    level = ((below + up_to + 1) / 2 - 3 / 8) / (columns.shape[-1] + 1 / 4)
    normal: Tensor = torch.special.ndtri(level.double())
    return normal.T.reshape(draws.shape)


def _variances(chains: Tensor) -> tuple[Tensor, Tensor]:
    """Mean variance within chains, and the estimate of the whole variance from it and that between chains."""
    length = len(chains)
    within = chains.var(0).mean(0)
    return within, within * (length - 1) / length + chains.mean(0).var(0)


def _r_hat(chains: Tensor) -> Tensor:
    within, whole = _variances(chains)
    ratio = (whole / within).sqrt()
    return torch.where(whole == 0, 1.0, ratio)


def _effective(chains: Tensor) -> Tensor:
    """``M·T / τ``, ``τ = -1 + 2·Σ P_k``: P_k the sums of pairs of autocorrelations, positive and falling."""
    length, total = len(chains), chains.shape[0] * chains.shape[1]
    within, whole = _variances(chains)
    centred = chains - chains.mean(0)
    size = 2 ** math.ceil(math.log2(2 * length))
    power = torch.fft.rfft(centred, n=size, dim=0).abs().square()
    autocovariance = torch.fft.irfft(power, n=size, dim=0)[:length].mean(1) / length
    still = whole == 0
    correlation = 1 - (within - autocovariance * length / (length - 1)) / torch.where(still, 1.0, whole)
    pairs = correlation[: length // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    kept = (pairs > 0).long().cumprod(0)
    falling = pairs.clamp(min=0).cummin(0).values
    time = (2 * (falling * kept).sum(0) - 1).clamp(min=1 / math.log10(max(total, 10)))
    return torch.where(still, float(total), total / time)
