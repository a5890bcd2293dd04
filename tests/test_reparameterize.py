"""The idea: three maps from noise to a draw, and the gradients they carry."""

import pytest
import torch

from reparam.errors import ParameterError
from reparam.reparameterize import affine, attach, implicit, inverse_cdf, location_scale, matvec


def double(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_location_scale_value_and_gradient():
    noise, loc, scale = double(-1.0, 0.5), double(3.0, 1.0), double(0.5, 2.0)
    y = location_scale(noise, loc, scale)
    assert y.tolist() == [2.5, 2.0]
    y.sum().backward()
    assert torch.equal(loc.grad, torch.ones(2, dtype=torch.float64))
    assert torch.equal(scale.grad, noise.detach())
    assert torch.autograd.gradcheck(location_scale, (noise, loc, scale))
    assert torch.autograd.gradgradcheck(location_scale, (noise, loc, scale))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_once(dtype):
    loc, scale = torch.tensor(1.1).to(dtype), torch.tensor(0.3).to(dtype)
    noise = torch.linspace(-4, 4, 33)
    assert torch.equal(location_scale(noise, loc, scale), (loc.float() + scale.float() * noise).to(dtype))


MATRIX = torch.tensor([[[1.0, 0.0], [2.0, 3.0]], [[0.5, 1.5], [-1.0, 2.0]]], dtype=torch.float64)


def test_affine_value_and_gradient():
    noise, loc, matrix = double(-1.0, 0.5), double(3.0, 1.0), MATRIX[0].clone().requires_grad_()
    y = affine(noise, loc, matrix)
    assert y.tolist() == [2.0, 0.5]
    y.sum().backward()
    assert torch.equal(loc.grad, torch.ones(2, dtype=torch.float64))
    assert torch.equal(matrix.grad, noise.detach().expand(2, 2))


@pytest.mark.parametrize("matrix", [MATRIX[0], MATRIX, MATRIX.unsqueeze(1)], ids=["one", "batch", "broadcast batch"])
@pytest.mark.parametrize("sample_shape", [(), (4,), (3, 4)])
def test_affine_derivatives_for_every_arrangement(matrix, sample_shape):
    batch_shape = (2, 3) if matrix.dim() == 4 else matrix.shape[:-2]
    noise = torch.arange(1.0, 1 + 2 * torch.Size(sample_shape + batch_shape).numel(), dtype=torch.float64).sin()
    noise, loc = noise.reshape(*sample_shape, *batch_shape, 2), torch.ones(*batch_shape, 2, dtype=torch.float64)
    arguments = tuple(argument.clone().requires_grad_() for argument in (noise, loc, matrix))
    torch.testing.assert_close(affine(*arguments), loc + (matrix @ noise.unsqueeze(-1)).squeeze(-1))
    assert torch.autograd.gradcheck(affine, arguments, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(affine, arguments)


def test_affine_rounds_half_types_once():
    loc, matrix = torch.tensor([1.1, -0.3]).half(), torch.tensor([[0.3, 0.0], [0.7, 1.3]]).half()
    noise = torch.linspace(-4, 4, 34).reshape(17, 2)
    assert torch.equal(affine(noise, loc, matrix), (loc.float() + matvec(matrix.float(), noise)).half())


def test_inverse_cdf():
    uniform, rate = double(0.1, 0.5, 0.9), double(2.0)
    assert torch.autograd.gradcheck(lambda u, r: inverse_cdf(u, lambda v: -torch.log1p(-v) / r), (uniform, rate))


def exponential(sample, rate):
    return implicit(sample, lambda y: -torch.expm1(-rate * y), lambda y: rate * torch.exp(-rate * y))


def test_implicit_keeps_the_value_and_finds_the_gradient():
    """An exponential law has the closed map y = -log(1 - u) / rate, so dy/drate = -y / rate."""
    rate = double(0.5, 2.0, 7.0)
    sample = torch.tensor([[0.1, 1.0, 0.3], [2.0, 0.01, 0.4]], dtype=torch.float64, requires_grad=True)
    y = exponential(sample, rate)
    assert torch.equal(y, sample)
    weights = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    (y * weights).sum().backward()
    torch.testing.assert_close(rate.grad, (-sample.detach() / rate.detach() * weights).sum(0))
    assert sample.grad is None


@pytest.mark.parametrize("function", [torch.Tensor.square, lambda y: y], ids=["curved", "linear"])
def test_implicit_refuses_a_second_derivative(function):
    """Also for a linear loss, where the incoming gradient is constant and cannot raise the alarm."""
    rate = double(0.5, 2.0)
    value = function(exponential(torch.tensor([1.0, 0.2], dtype=torch.float64), rate)).sum()
    (first,) = torch.autograd.grad(value, rate, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        first.sum().backward()


def test_implicit_under_vmap_and_grad():
    rates, samples = torch.tensor([0.5, 2.0, 7.0]), torch.tensor([1.0, 0.2, 0.1])
    result = torch.vmap(torch.func.grad(lambda rate, y: exponential(y, rate)))(rates, samples)
    torch.testing.assert_close(result, -samples / rates)


def test_implicit_refuses_another_shape():
    with pytest.raises(ParameterError, match=r"one value for each draw.*\(2, 3\).*expected \(3,\)"):
        implicit(torch.ones(3), lambda y: y.expand(2, 3), lambda y: y)


def velocity_of_growth(y, rate, power):
    return y / rate, y * torch.log(power)


def growing(start, rate, power):
    """What ``velocity_of_growth`` integrates to from the point it is called at, in closed form."""

    def exponent(p):
        return p * p.log() - p

    return start * (rate / rate.detach()) * torch.exp(exponent(power) - exponent(power.detach()))


def test_attach_is_right_to_any_order_and_in_both_modes():
    start = torch.tensor([[0.5, 0.6], [1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    point = (torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64))

    def loss(draw):
        return lambda *theta: (draw(*theta) ** 3).sum()

    attached = loss(lambda *theta: attach(start, velocity_of_growth, *theta))
    exact = loss(lambda *theta: growing(start, *theta))
    for derivative in (
        lambda f: torch.autograd.functional.jacobian(f, point),
        lambda f: torch.autograd.functional.hessian(f, point),
        lambda f: torch.func.jvp(f, point, (torch.ones(2).double(), torch.tensor(0.3).double()))[1],
        lambda f: torch.func.hessian(lambda p: torch.func.grad(lambda q: f(point[0], q))(p))(point[1]),
    ):
        torch.testing.assert_close(derivative(attached), derivative(exact))


def test_attach_drops_the_gradient_of_the_sample_and_broadcasts():
    start = torch.ones(4, 3, requires_grad=True)
    rate = torch.full((3,), 2.0, requires_grad=True)
    moving = attach(start, lambda y, r: (y / r,), rate)
    moving.sum().backward()
    assert start.grad is None
    assert torch.equal(rate.grad, torch.full((3,), 2.0))


def test_attach_takes_many_parameters_at_once_in_front():
    """y moves with each of three rates: one velocity for each, in both modes."""
    start, rates = torch.ones(4, dtype=torch.float64), double(1.0, 2.0, 3.0)

    def draw(rates):
        return attach(start, lambda y, rate: (y * rate,), rates[:, None])

    expected = rates.detach().expand(4, 3)
    torch.testing.assert_close(torch.func.jacrev(draw)(rates.detach()), expected)
    torch.testing.assert_close(torch.func.jacfwd(draw)(rates.detach()), expected)


def test_attach_refuses_forward_mode_over_forward_mode():
    """torch would take the velocity for a constant, and the second derivative for 0."""
    rate = torch.tensor(2.0, dtype=torch.float64)

    def draw(rate):
        return attach(torch.ones(3, dtype=torch.float64), lambda y, r: (y * r,), rate)

    expected = torch.func.jacrev(torch.func.jacrev(draw))(rate)
    torch.testing.assert_close(torch.func.jacfwd(torch.func.jacrev(draw))(rate), expected)
    torch.testing.assert_close(torch.func.jacrev(torch.func.jacfwd(draw))(rate), expected)
    with pytest.raises(NotImplementedError, match="no forward mode over forward mode"):
        torch.func.jacfwd(torch.func.jacfwd(draw))(rate)


def test_a_velocity_that_nobody_wants_is_not_made():
    made = []

    def velocity(y, rate, shift, _):
        return -y / rate, lambda: made.append("shift") or torch.ones_like(y), None

    rate, shift = (torch.tensor(2.0, dtype=torch.float64, requires_grad=wanted) for wanted in (True, False))
    moved = attach(torch.tensor(0.5, dtype=torch.float64), velocity, rate, shift, torch.tensor(3.0))
    assert torch.autograd.grad(moved, rate)[0].item() == -0.25
    assert made == []
    moved = attach(torch.tensor(0.5, dtype=torch.float64), velocity, rate, shift.requires_grad_(), torch.tensor(3.0))
    assert [part.item() for part in torch.autograd.grad(moved, (rate, shift))] == [-0.25, 1.0]
    assert made == ["shift"]
