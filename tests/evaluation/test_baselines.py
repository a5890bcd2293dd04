"""The Gaussian baseline against scipy."""

import numpy as np
import pytest
from scipy import stats

from reparam.evaluation import gaussian_log_likelihood


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
