"""Evaluation: bounds with error bars, baselines, the check before training, and health in plain words."""

from reparam.evaluation.baselines import gaussian_baseline, gaussian_log_likelihood, linear_residuals
from reparam.evaluation.bounds import Bounds, bounds, log_likelihood
from reparam.evaluation.collapse import CollapseCheck, collapse_check
from reparam.evaluation.health import Finding, health

__all__ = [
    "Bounds",
    "CollapseCheck",
    "Finding",
    "bounds",
    "collapse_check",
    "gaussian_baseline",
    "gaussian_log_likelihood",
    "health",
    "linear_residuals",
    "log_likelihood",
]
