"""The check before training, against models where collapse is known in closed form."""

import pytest
import torch

from reparam import vae
from reparam.evaluation import collapse_check
from tests.linear_gaussian import LinearGaussian


def test_it_counts_the_directions_of_a_linear_model() -> None:
    model = LinearGaussian(num_values=12, latent_dim=3, sigma=0.3)
    x = model.draw(1000)
    assert collapse_check(x, torch.tensor(0.3**2)).num_directions == 3


def test_it_warns_when_a_fixed_scale_is_wider_than_the_data() -> None:
    x = 0.1 * LinearGaussian(num_values=8, latent_dim=2, sigma=0.3).draw(1000)
    check = collapse_check(x, torch.tensor(1.0))
    assert not check.ok
    assert "expect posterior collapse" in check.sentence()


def test_the_warning_comes_true_and_its_absence_too() -> None:
    """A linear VAE with the noise variance above (below) the largest eigenvalue: no (some) rate at the optimum."""
    x = LinearGaussian(num_values=6, latent_dim=2, sigma=0.3).draw(1000).float()
    x = x - x.mean(0)
    for scale in (0.5, 4.0):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = vae.VAE(
                vae.Conditional(torch.nn.Linear(6, 4), vae.DiagonalNormal()),
                vae.Conditional(torch.nn.Linear(2, 6), vae.Gaussian((6,), floor=scale)),
                vae.StandardNormal(2),
            )
            with torch.no_grad():
                model.decoder.family.log_scale.fill_(-20.0)
            model.decoder.family.log_scale.requires_grad_(False)
            optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
            for _ in range(600):
                optimizer.zero_grad()
                model(x).loss.backward()
                optimizer.step()
        used = model(x).rate.mean().item() > 0.1
        assert collapse_check(x, torch.tensor(scale**2)).ok is used, scale


@pytest.mark.parametrize("num_values", [2, 20, 200])
def test_independent_columns_are_noise_whatever_their_number(num_values: int) -> None:
    num_rows = 1000
    x = torch.randn(num_rows, num_values, generator=torch.Generator().manual_seed(num_values))
    # Johnstone 2001: (largest eigenvalue - edge) / scale follows the Tracy-Widom law, whose tails exp(-2/3 s^1.5) and
    # exp(-|s|^3 / 24) hold less than 1e-6 beyond 7.6.
    rows, columns = (num_rows - 1) ** 0.5, num_values**0.5
    scale = (rows + columns) * (1 / rows + 1 / columns) ** (1 / 3) / num_rows
    check = collapse_check(x, x.var(0))
    assert check.threshold == pytest.approx((1 + (num_values / num_rows) ** 0.5) ** 2)
    assert check.largest_ratio == pytest.approx(check.threshold, abs=7.6 * scale)


def test_values_without_variance_are_left_out() -> None:
    assert collapse_check(torch.zeros(10, 3), torch.zeros(3)).ok is False
