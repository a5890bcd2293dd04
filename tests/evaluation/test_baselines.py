"""The Gaussian baseline against scipy."""

import numpy as np
import pytest
from scipy import stats

from reparam.evaluation import gaussian_baseline, gaussian_log_likelihood, linear_residuals


def test_it_is_the_density_of_the_maximum_likelihood_gaussian() -> None:
    generator = np.random.default_rng(0)
    train, test = (generator.normal(size=(n, 4)) @ generator.normal(size=(4, 4)) + 2 for n in (500, 50))
    law = stats.multivariate_normal(train.mean(0), np.cov(train, rowvar=False, bias=True))
    assert gaussian_log_likelihood(train, test) == pytest.approx(law.logpdf(test).mean())


@pytest.mark.parametrize(
    "train", [np.ones((3, 4)), np.repeat(np.random.default_rng(0).normal(size=(50, 1)), 2, axis=1)]
)
def test_no_number_where_there_is_no_density(train: np.ndarray) -> None:
    assert gaussian_log_likelihood(train, train) is None


def test_one_column() -> None:
    train = np.random.default_rng(0).normal(size=(100, 1))
    assert gaussian_log_likelihood(train, train) == pytest.approx(
        stats.norm(train.mean(), train.std()).logpdf(train).mean()
    )


def test_what_is_given_is_regressed_out_first() -> None:
    generator = np.random.default_rng(0)
    classes = np.eye(3)[generator.integers(0, 3, 600)]
    features = np.hstack([classes, generator.normal(size=(600, 1))])  # one-hot columns add up to the intercept
    values = features @ generator.normal(size=(4, 2)) * 5 + generator.normal(size=(600, 2)) @ [[1.0, 0.5], [0.0, 0.3]]
    (train, test), (known, new) = np.split(values, [500]), np.split(features, [500])
    design = np.hstack([known[:, 1:], np.ones((500, 1))])
    coefficients = np.linalg.solve(design.T @ design, design.T @ train)
    left = train - design @ coefficients
    law = stats.multivariate_normal(np.zeros(2), left.T @ left / 500)
    expected = law.logpdf(test - np.hstack([new[:, 1:], np.ones((100, 1))]) @ coefficients).mean()
    found = gaussian_baseline(train, test, known, new)
    assert found is not None
    assert found["name"] == "linear Gaussian regression"
    assert found["log_likelihood_nats"] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(linear_residuals(known, train, known, train), left, atol=1e-9)
    without = gaussian_baseline(train, test)
    assert without is not None
    assert without["log_likelihood_nats"] == pytest.approx(gaussian_log_likelihood(train, test))
    assert without["log_likelihood_nats"] < expected - 1
