"""Rows of laws on the circle and the sphere."""

from reparam.distributions import PowerSpherical, ProjectedNormal, VonMises, VonMisesFisher
from tests.contracts.row import Row

GATHERED = {"loc": ((0.48, -0.64, 0.6), (-0.8, 0.0, 0.6)), "concentration": (1.3, 6.0)}

ROWS = (
    Row("VonMises", VonMises, {"loc": (0.7, -0.4), "concentration": (2.3, 6.0)}, circular=True),
    Row("VonMisesFisher", VonMisesFisher, GATHERED),
    Row("PowerSpherical", PowerSpherical, GATHERED),
    Row("ProjectedNormal", ProjectedNormal, {"loc": ((0.7, -2.0, 0.3), (-0.4, 0.1, 0.2))}),
)
