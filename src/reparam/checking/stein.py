"""Draws against the density where no distribution function is at hand: Stein's identity.

In coordinates z without bounds, with density q that vanishes far out, ``E[∇log q(z)·u φ(z) + ∇φ(z)·u] = 0`` for every
smooth bounded φ and direction u, and for no other law of z. On a sphere in d dimensions, with tangential derivatives,
``E[∇log p·∇φ + Δφ] = 0``.
"""

import math
from collections.abc import Callable, Iterator

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.checking.bank import waves
from reparam.checking.report import Finding, measured, skipped
from reparam.checking.statistics import mean_p_value
from reparam.checking.subject import Subject, Unavailable

__all__ = ["check_stein"]

_FUNCTIONS = 8


def check_stein(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    """Draws ``[n, *event]`` of a law on vectors or matrices."""
    try:
        if _on_sphere(draws):
            yield from _sphere(subject, draws)
        else:
            yield from _unbounded(subject, draws)
    except Unavailable as reason:
        yield skipped("distribution", str(reason))


def _on_sphere(draws: Tensor) -> bool:
    if draws.dim() != 2 or draws.shape[1] < 2:
        return False
    return bool(((draws.norm(dim=1) - 1).abs() < 1e-6).all())


def _sphere(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    dims = draws.shape[1]
    slope = subject.density(draws).slope
    tangent = slope - (slope * draws).sum(1, keepdim=True) * draws
    frequencies, phases = waves(dims, _FUNCTIONS, subject.seed)
    for number, (frequency, phase) in enumerate(zip(frequencies / draws.std(0).max(), phases, strict=True)):
        along = draws @ frequency
        flat = frequency - along[:, None] * draws
        sine, cosine = torch.sin(along + phase), torch.cos(along + phase)
        values = -sine * (tangent * flat).sum(1) - cosine * (flat**2).sum(1) + (dims - 1) * sine * along
        yield _finding(values, f"random cosine {number}")


def _unbounded(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    z, log_density = _chart(subject, draws)
    z = z.detach().requires_grad_()
    try:
        (slope,) = torch.autograd.grad(log_density(z).sum(), z)
    except (NotImplementedError, RuntimeError, ValueError, AttributeError) as error:
        raise Unavailable(f"the density cannot be had in unbounded coordinates: {error}") from None
    flat, slope = z.detach().flatten(1), slope.flatten(1)
    known = flat.isfinite().all(1) & slope.isfinite().all(1)
    if not known.all():
        raise Unavailable("some draws lie on the edge of the support, up to rounding")
    middle, width = flat.mean(0), flat.std(0).clamp(min=1e-300)
    standard, slope = (flat - middle) / width, slope * width
    for element in range(min(flat.shape[1], _FUNCTIONS)):
        yield _finding(slope[:, element], f"1, element {element}")
        yield _finding(slope[:, element] * standard[:, element] + 1, f"z, element {element}")
    frequencies, phases = waves(flat.shape[1], _FUNCTIONS, subject.seed)
    for number, (frequency, phase) in enumerate(zip(frequencies, phases, strict=True)):
        direction = frequency / frequency.norm()
        along = standard @ frequency + phase
        values = slope @ direction * torch.cos(along) - torch.sin(along) * (frequency @ direction)
        yield _finding(values, f"random cosine {number}")


def _finding(values: Tensor, function: str) -> Finding:
    return measured(
        "distribution",
        float(mean_p_value(values)),
        "Stein's identity",
        expected=0.0,
        came=float(values.mean()),
        where={"function": function},
    )


def _chart(subject: Subject, draws: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The draws in coordinates without bounds, and the log density there."""
    law = subject.sketch
    try:
        support = law.support
    except NotImplementedError:
        raise Unavailable("the law states no support") from None
    if support in (constraints.positive_definite, constraints.positive_semidefinite):
        return _triangles(law, draws)
    if support is constraints.simplex:
        return _log_ratios(draws.log(), lambda logs: law.log_prob(logs.exp()) + logs.flatten(1).sum(1))
    if _are_logarithms(draws):
        return _log_ratios(draws, law.log_prob)
    try:
        transform = td.biject_to(support)
        z = transform.inv(draws)
        transform.log_abs_det_jacobian(z[:1], draws[:1])
        there_and_back = transform(z)
    except (NotImplementedError, RuntimeError, ValueError, AttributeError, TypeError):
        raise Unavailable(f"no unbounded coordinates are known for the support {support}") from None
    if not torch.allclose(there_and_back, draws, rtol=1e-6, atol=1e-12):
        raise Unavailable("some draws lie too near to the edge of the support for unbounded coordinates")

    def log_density(z: Tensor) -> Tensor:
        y = transform(z)
        stretch: Tensor = transform.log_abs_det_jacobian(z, y)
        return law.log_prob(y) + stretch.reshape(len(z), -1).sum(1)

    return z, log_density


def _are_logarithms(draws: Tensor) -> bool:
    """Whether all draws are logarithms of probabilities, so that there is one dimension less than elements."""
    return bool((draws <= 0).all()) and bool((draws.logsumexp(-1).abs() < 1e-6).all())


def _log_ratios(logs: Tensor, log_prob: Callable[[Tensor], Tensor]) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Probabilities by their logarithms less the last one, which keeps the digits of small ones."""

    def log_density(z: Tensor) -> Tensor:
        return log_prob(torch.log_softmax(torch.cat([z, torch.zeros_like(z[..., :1])], -1), -1))

    return logs[..., :-1] - logs[..., -1:], log_density


def _triangles(law: td.Distribution, draws: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Positive definite matrices by their Cholesky factor, its diagonal in logarithms."""
    size = draws.shape[-1]
    rows, columns = torch.tril_indices(size, size)
    on_diagonal = rows == columns
    factor = torch.linalg.cholesky(draws)[:, rows, columns]
    powers = torch.arange(size + 1, 1, -1, dtype=draws.dtype)  # of each diagonal element in the Jacobian

    def log_density(z: Tensor) -> Tensor:
        entries = torch.where(on_diagonal, z.exp(), z)
        triangle = z.new_zeros(len(z), size, size).index_put((torch.arange(len(z))[:, None], rows, columns), entries)
        return law.log_prob(triangle @ triangle.mT) + z[:, on_diagonal] @ powers + size * math.log(2)

    return torch.where(on_diagonal, factor.log(), factor), log_density
