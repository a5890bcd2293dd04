"""Small trained models that several tests look at; nobody changes them."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch.distributions as td

import reparam
from tests.linear_gaussian import LinearGaussian

# The same examples each time, however busy the machine is.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.load_profile("fixed")

TABLE = LinearGaussian(num_values=4, latent_dim=2, sigma=0.4)
UNITS = np.array([1.0, 10.0, 0.1, 1000.0])


@pytest.fixture(autouse=True)
def _validation_is_on() -> Iterator[None]:
    """torch switches the validation of arguments off for the whole process when it first compiles something."""
    yield
    td.Distribution.set_default_validate_args(__debug__)


@pytest.fixture(scope="session")
def table_rows() -> np.ndarray:
    """``[300, 4]`` rows of a linear-Gaussian model, each column in a unit of its own."""
    return TABLE.draw(300).numpy() * UNITS


@pytest.fixture(scope="session")
def trained_table(tmp_path_factory: pytest.TempPathFactory, table_rows: np.ndarray) -> reparam.TrainedVAE:
    """A Gaussian VAE trained on ``table_rows`` for 400 steps, from a CSV file."""
    folder = tmp_path_factory.mktemp("table")
    np.savetxt(folder / "rows.csv", table_rows, delimiter=",", header="a,b,c,d", comments="", fmt="%.6f")
    settings = reparam.Settings(epochs=100, batch_size=60, width=16, latent_dim=2, num_samples=20, learning_rate=0.01)
    return reparam.fit(folder / "rows.csv", settings, out=folder / "run", progress=False)


@pytest.fixture(scope="session")
def trained_digits(tmp_path_factory: pytest.TempPathFactory) -> reparam.TrainedVAE:
    """A VAE trained on the digits for one epoch of 11 steps."""
    settings = reparam.Settings(epochs=1, width=4, latent_dim=3, num_samples=3)
    path: Path = tmp_path_factory.mktemp("digits") / "run"
    return reparam.fit("digits", settings, out=path, progress=False)
