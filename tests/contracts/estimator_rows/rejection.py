"""Estimators that go through accept/reject samplers."""

from reparam import distributions as law
from reparam.estimators import LeaveOneOut
from reparam.samplers import MarsagliaTsang, RejectionReparameterized
from tests.contracts.estimating import EstimatorRow

GAMMA = {"concentration": 1.7, "rate": 1.3}

ROWS = [
    EstimatorRow(
        "RejectionReparameterized, Gamma", lambda: RejectionReparameterized(MarsagliaTsang()), law.Gamma, GAMMA
    ),
    EstimatorRow(
        "RejectionReparameterized leave-one-out, Gamma",
        lambda: RejectionReparameterized(MarsagliaTsang(1), LeaveOneOut()),
        law.Gamma,
        GAMMA,
        samples=3,
    ),
    EstimatorRow(
        "RejectionReparameterized, Gamma below 1",
        lambda: RejectionReparameterized(MarsagliaTsang()),
        law.Gamma,
        {"concentration": 0.4, "rate": 0.8},
    ),
]
