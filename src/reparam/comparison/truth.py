"""The exact gradient of an expectation: a sum over all values, or quadrature of the density on a line."""

from typing import NamedTuple

import torch
from torch import Tensor

from reparam.checking.oracle import Oracle
from reparam.checking.subject import Subject, Unavailable
from reparam.estimators import Enumerate, expectation
from reparam.estimators.base import Function

__all__ = ["Truth", "truth"]

_NEGLIGIBLE = 1e-15
_LARGEST_COUNT = 2**20


class Truth(NamedTuple):
    """``E f(y)`` and its derivative along each direction in which the parameters can move."""

    value: float
    gradient: Tensor


def truth(f: Function, subject: Subject) -> Truth | None:
    """The exact expectation and gradient; None where neither a sum nor a quadrature is known.

    Args:
        f: draws ``[S, R, *event]`` to values ``[S, R]``.
        subject: the law.
    """
    if not Enumerate().refusal(subject.sketch):
        copies = subject.copies(1)
        total = expectation(f, copies.law, estimator=Enumerate())
        return Truth(total.item(), copies.gradients(total)[0])
    if subject.sketch.event_shape:
        return None
    if subject.is_discrete:
        return _sum_of_counts(f, subject)
    try:
        oracle = Oracle(subject, subject.sample(20_000, "truth"))
    except Unavailable:
        return None
    values = f(oracle.values.flatten().unsqueeze(0)).squeeze(0)
    return Truth(
        (values * oracle.node_mass).sum().item(), oracle.gradient_of_mean(lambda y: f(y.unsqueeze(0)).squeeze(0))
    )


def _sum_of_counts(f: Function, subject: Subject) -> Truth | None:
    size = 64
    while size <= _LARGEST_COUNT:
        copies = subject.copies(1)
        counts = torch.arange(size, dtype=torch.float64).unsqueeze(-1)
        probability = copies.law.log_prob(counts).exp()
        if 1 - probability.sum().item() < _NEGLIGIBLE and probability[-1].item() < _NEGLIGIBLE:
            total = (probability * f(counts)).sum()
            return Truth(total.item(), copies.gradients(total)[0])
        size *= 4
    return None
