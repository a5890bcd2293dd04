"""Evaluation: bounds with error bars and checks on them, baselines, the check before training, health in plain words.

What needs scikit-learn is imported from its own module: ``probes``, ``samples`` and ``disentanglement``.
"""

from reparam.evaluation.aggregate import AggregateGap, aggregate_gap, largest_shift
from reparam.evaluation.annealing import Agreement, Annealed, agreement, annealed_log_likelihood
from reparam.evaluation.baselines import gaussian_baseline, gaussian_log_likelihood, linear_residuals
from reparam.evaluation.bounds import Bounds, bounds, log_likelihood
from reparam.evaluation.collapse import CollapseCheck, collapse_check
from reparam.evaluation.health import Finding, health
from reparam.evaluation.importance import Precision

__all__ = [
    "AggregateGap",
    "Agreement",
    "Annealed",
    "Bounds",
    "CollapseCheck",
    "Finding",
    "Precision",
    "aggregate_gap",
    "agreement",
    "annealed_log_likelihood",
    "bounds",
    "collapse_check",
    "gaussian_baseline",
    "gaussian_log_likelihood",
    "health",
    "largest_shift",
    "linear_residuals",
    "log_likelihood",
]
