"""Every planted fault is reported, by the check that is there for it."""

import pytest
import torch

from reparam.checking import check_rsample
from tests.checking import faults
from tests.checking.faults import LOC, SCALE, law, vectors

RATE = torch.tensor(2.0, dtype=torch.float64)

FAULTS = [
    (law(faults.gradient_scaled), "velocity", "expectations"),
    (law(faults.gradient_flipped), "velocity", "expectations", "score"),
    (law(faults.gradient_inaccurate), "velocity"),
    (law(faults.gradient_of_scale_zeroed), "gradient", "velocity", "expectations", "score"),
    (law(faults.gradient_shifted_and_noisy), "velocity", "expectations"),
    (law(faults.gradient_nan), "gradient"),
    (law(faults.upper_tail_clipped), "tails", "atoms", "independence"),
    (law(faults.lower_tail_clamped), "tails", "atoms", "independence", "velocity"),
    (law(faults.repeated), "independence"),
    (law(faults.scale_inflated), "distribution", "score"),
    (law(faults.location_off), "distribution"),
    (law(faults.atom), "atoms", "independence"),
    (law(faults.outside_at_times), "draws"),
    (faults.Leaving(RATE), "draws", "distribution"),
    (faults.Quadratic(LOC, SCALE), "second derivative"),
    (faults.DensityOff(LOC, SCALE), "normalisation"),
    (faults.DensityGradientOff(LOC, SCALE), "density gradient"),
    (faults.WrongShape(LOC, SCALE), "shapes"),
    (faults.NoBackwardOfMany(LOC, SCALE), "shapes"),
    (law(lambda self, y, noise: faults.WrongForwardMode.apply(y)), "transforms"),
    (faults.SingleOnly(LOC, SCALE), "float32"),
]
NAMES = [
    "scaled",
    "flipped",
    "inaccurate",
    "zeroed",
    "shifted",
    "nan",
    "clipped",
    "clamped",
    "repeated",
    "inflated",
    "moved",
    "atom",
    "infinite",
    "outside",
    "second",
    "mass",
    "score",
    "shape",
    "backward",
    "forward",
    "float32",
]


@pytest.mark.parametrize(("faulty", "checks"), [(fault[0], fault[1:]) for fault in FAULTS], ids=NAMES)
def test_planted_faults_are_reported(faulty, checks):
    report = check_rsample(faulty, num_draws=50_000)
    assert set(checks) <= {finding.check for finding in report.failures}, str(report)
    assert not report.ok


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda self, y: faults.Scaled.apply(y, 1.15), "score"),
        (lambda self, y: faults.Scaled.apply(y, 1.05), "expectations"),
        (lambda self, y: faults.Scaled.apply(y, -1.0), "score"),
        (lambda self, y: y.detach() + 0 * self.loc, "gradient"),
        (lambda self, y: self.loc + 1.04 * (y - self.loc), "distribution"),
        (lambda self, y: y + 0.05, "distribution"),
        (lambda self, y: y[torch.arange(len(y)) // 2 * 2] if y.dim() > 1 else y, "independence"),
    ],
    ids=["scaled", "scaled, moments", "flipped", "zeroed", "inflated", "moved", "repeated"],
)
def test_planted_faults_in_vectors_are_reported(change, check):
    report = check_rsample(vectors(change))
    assert check in {finding.check for finding in report.failures}, str(report)


def test_noise_of_mean_zero_in_a_gradient_is_no_fault():
    failures = {finding.check for finding in check_rsample(law(faults.gradient_only_noisy)).failures}
    assert not failures & {"velocity", "expectations", "score"}


def test_a_defect_elsewhere_is_a_warning():
    report = check_rsample(faults.Elsewhere(LOC, SCALE))
    assert report.ok
    assert {finding.check for finding in report.warnings} == {"elsewhere"}
    assert "draws are nan" in str(report.warnings[0])
    assert report.warnings[0].where["parameters"]["scale"] == pytest.approx(0.0013)
