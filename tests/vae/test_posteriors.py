"""The soft bound, and a scale that cannot run away."""

import torch
from torch.autograd import gradcheck

from reparam import vae


def test_soft_bound_stays_inside_and_keeps_a_gradient_everywhere() -> None:
    values = torch.tensor([-1e6, -100.0, -2.0, 0.0, 100.0, 1e6], requires_grad=True)
    bounded = vae.soft_bound(values, -10.0, 6.0)
    bounded.sum().backward()
    assert values.grad is not None
    assert ((bounded >= -10) & (bounded <= 6)).all()
    assert (values.grad > 0).all()


def test_soft_bound_is_the_identity_to_first_order_at_the_middle() -> None:
    values = torch.tensor([-2.0], dtype=torch.float64, requires_grad=True)
    bounded = vae.soft_bound(values, -10.0, 6.0)
    (slope,) = torch.autograd.grad(bounded, values)
    assert bounded.item() == -2.0
    assert slope.item() == 1.0
    assert gradcheck(lambda x: vae.soft_bound(x, -10.0, 6.0), torch.randn(5, dtype=torch.float64, requires_grad=True))


def test_any_output_gives_a_finite_law() -> None:
    outputs = torch.tensor([[0.0, 0.0, -1e30, 1e30]], requires_grad=True)
    law = vae.DiagonalNormal()(outputs)
    log_prob = law.log_prob(torch.ones(1, 2))
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
