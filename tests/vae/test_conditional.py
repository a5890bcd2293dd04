"""A network becomes a law in one way."""

import torch

from reparam import vae


def test_a_plain_conditional_model_learns_loc_and_scale_of_y_given_x() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4096, 1, generator=generator) * 2 - 1
    y = 3 * x + (0.5 * x).exp() * torch.randn(4096, 1, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = vae.Conditional(torch.nn.Linear(1, 2), vae.DiagonalNormal())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-model(x).log_prob(y).mean()).backward()
        optimizer.step()
    at = torch.tensor([[-1.0], [1.0]])
    law = model(at)
    # Standard errors of the slope and of log-scale with 4096 rows are below 0.03: five of them.
    torch.testing.assert_close(law.mean, 3 * at, rtol=0, atol=0.15)
    torch.testing.assert_close(law.stddev.log(), 0.5 * at, rtol=0, atol=0.15)


def test_parameters_are_never_in_a_half_type() -> None:
    model = vae.Conditional(torch.nn.Linear(3, 4).bfloat16(), vae.DiagonalNormal())
    assert model(torch.zeros(2, 3, dtype=torch.bfloat16)).mean.dtype == torch.float32


def test_float64_stays_float64() -> None:
    model = vae.Conditional(torch.nn.Linear(3, 4).double(), vae.DiagonalNormal())
    assert model(torch.zeros(2, 3, dtype=torch.float64)).mean.dtype == torch.float64
