"""The gradient of an expectation: many ways to estimate it, with one signature."""

from reparam.estimators.antithetic import Arm as Arm
from reparam.estimators.antithetic import DisArm as DisArm
from reparam.estimators.base import Estimator as Estimator
from reparam.estimators.baselines import Baseline as Baseline
from reparam.estimators.baselines import Learned as Learned
from reparam.estimators.baselines import LeaveOneOut as LeaveOneOut
from reparam.estimators.baselines import MovingAverage as MovingAverage
from reparam.estimators.bounds import evidence_bound as evidence_bound
from reparam.estimators.bounds import weigh_gradient as weigh_gradient
from reparam.estimators.bounds import without_score as without_score
from reparam.estimators.control import ControlVariate as ControlVariate
from reparam.estimators.control import best_coefficient as best_coefficient
from reparam.estimators.enumerate import Enumerate as Enumerate
from reparam.estimators.estimating import Choice as Choice
from reparam.estimators.estimating import choose as choose
from reparam.estimators.estimating import expectation as expectation
from reparam.estimators.measure import MeasureValued as MeasureValued
from reparam.estimators.pathwise import Pathwise as Pathwise
from reparam.estimators.rebar import Rebar as Rebar
from reparam.estimators.rebar import Relax as Relax
from reparam.estimators.relaxed import GumbelSoftmax as GumbelSoftmax
from reparam.estimators.relaxed import ReinMax as ReinMax
from reparam.estimators.relaxed import StraightThrough as StraightThrough
from reparam.estimators.score import ScoreFunction as ScoreFunction
from reparam.estimators.subsets import SumAndSample as SumAndSample
from reparam.estimators.subsets import UnorderedSet as UnorderedSet

__all__ = [
    "Arm",
    "Baseline",
    "Choice",
    "ControlVariate",
    "DisArm",
    "Enumerate",
    "Estimator",
    "GumbelSoftmax",
    "Learned",
    "LeaveOneOut",
    "MeasureValued",
    "MovingAverage",
    "Pathwise",
    "Rebar",
    "ReinMax",
    "Relax",
    "ScoreFunction",
    "StraightThrough",
    "SumAndSample",
    "UnorderedSet",
    "best_coefficient",
    "choose",
    "evidence_bound",
    "expectation",
    "weigh_gradient",
    "without_score",
]
