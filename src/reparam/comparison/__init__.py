"""Estimators of a gradient side by side: bias, variance, cost."""

from reparam.comparison.comparing import Comparison as Comparison
from reparam.comparison.comparing import compare as compare
from reparam.comparison.direct import DirectDraws as DirectDraws
from reparam.comparison.measured import Measured as Measured

__all__ = ["Comparison", "DirectDraws", "Measured", "compare"]
