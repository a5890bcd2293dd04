"""Estimators of a gradient side by side: bias, variance, cost."""

from reparam.comparison.comparing import Comparison as Comparison
from reparam.comparison.comparing import compare as compare
from reparam.comparison.measured import Measured as Measured

__all__ = ["Comparison", "Measured", "compare"]
