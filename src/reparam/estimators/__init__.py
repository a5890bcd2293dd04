"""The gradient of an expectation: many ways to estimate it, with one signature."""

from reparam.estimators.base import Estimator as Estimator
from reparam.estimators.baselines import Baseline as Baseline
from reparam.estimators.baselines import Learned as Learned
from reparam.estimators.baselines import LeaveOneOut as LeaveOneOut
from reparam.estimators.baselines import MovingAverage as MovingAverage
from reparam.estimators.enumerate import Enumerate as Enumerate
from reparam.estimators.estimating import Choice as Choice
from reparam.estimators.estimating import choose as choose
from reparam.estimators.estimating import expectation as expectation
from reparam.estimators.measure import MeasureValued as MeasureValued
from reparam.estimators.pathwise import Pathwise as Pathwise
from reparam.estimators.score import ScoreFunction as ScoreFunction

__all__ = [
    "Baseline",
    "Choice",
    "Enumerate",
    "Estimator",
    "Learned",
    "LeaveOneOut",
    "MeasureValued",
    "MovingAverage",
    "Pathwise",
    "ScoreFunction",
    "choose",
    "expectation",
]
