"""The gradient through rejection: unbiased with the correction, and seen to be wrong without it."""

import math

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from reparam import expectation
from reparam.distributions import Gamma, Independent, Normal, VonMisesFisher
from reparam.errors import EstimatorError, SamplerError
from reparam.estimators import LeaveOneOut
from reparam.noise import generator, standard_normal
from reparam.samplers import AcceptReject, MarsagliaTsang, RejectionReparameterized, Wood
from reparam.special import bessel_ratio
from tests.statistical.instruments import check_continuous, check_mean

COUNT = 100_000


class Dropped(RejectionReparameterized):
    """Planted: the correction is left out."""

    def _log_density(self, *args) -> Tensor:
        return super()._log_density(*args).detach()


class Unnormalized(MarsagliaTsang):
    """As if no formula for the acceptance rate were known."""

    def log_acceptance_rate(self, law: td.Distribution) -> None:
        return None


class UnnormalizedWood(Wood):
    def log_acceptance_rate(self, law: td.Distribution) -> None:
        return None


def gradients(estimator, make, parameter: float, f, samples: int = 1) -> Tensor:
    """One independent gradient an element."""
    theta = torch.full((COUNT // samples,), parameter, dtype=torch.float64, requires_grad=True)
    value = expectation(f, make(theta), estimator=estimator, samples=samples, generator=generator(0))
    return torch.autograd.grad(value.sum(), theta)[0]


def gamma(a: Tensor) -> Gamma:
    return Gamma(a, torch.ones_like(a))


def square(y: Tensor) -> Tensor:
    return y**2


@pytest.mark.parametrize("augmentation", [0, 1, 4])
@pytest.mark.parametrize("a", [0.3, 1.0, 2.0, 5.0])
def test_the_gradient_of_a_gamma_is_right(a: float, augmentation: int) -> None:
    check_mean(gradients(RejectionReparameterized(MarsagliaTsang(augmentation)), gamma, a, square), 2 * a + 1)


@pytest.mark.parametrize(("a", "variance"), [(1.0, 22.0), (2.0, 30.0), (5.0, 56.0)])
def test_the_variance_is_the_known_one(a: float, variance: float) -> None:
    found = gradients(RejectionReparameterized(MarsagliaTsang(1)), gamma, a, square)
    check_mean((found - 2 * a - 1) ** 2, found.var().item())
    assert found.var().item() == pytest.approx(variance, rel=0.15)


def test_the_score_of_the_history_is_unbiased_too_and_costs_variance() -> None:
    exact = gradients(RejectionReparameterized(MarsagliaTsang()), gamma, 1.0, square)
    history = gradients(RejectionReparameterized(Unnormalized()), gamma, 1.0, square)
    check_mean(history, 3.0)
    assert history.var() > 1.05 * exact.var()
    wood = gradients(RejectionReparameterized(UnnormalizedWood()), sphere(3), 5.0, along(3))
    check_mean(wood, truth(3, 5.0))


def test_the_score_of_the_history_with_several_samples_scores_each_by_its_own_trials() -> None:
    found = gradients(RejectionReparameterized(UnnormalizedWood(), LeaveOneOut()), sphere(3), 5.0, along(3), samples=4)
    check_mean(found, truth(3, 5.0))


def test_without_the_correction_the_gamma_is_off() -> None:
    with pytest.raises(AssertionError):
        check_mean(gradients(Dropped(MarsagliaTsang()), gamma, 1.0, square), 3.0)


def pole(dim: int) -> Tensor:
    direction = torch.arange(1.0, dim + 1, dtype=torch.float64)
    return direction / direction.norm()


def sphere(dim: int):
    return lambda kappa: VonMisesFisher(pole(dim).expand(len(kappa), dim), kappa)


def along(dim: int):
    return lambda x: x @ pole(dim)


def truth(dim: int, kappa: float) -> float:
    ratio = bessel_ratio(dim / 2 - 1, torch.tensor(kappa, dtype=torch.float64)).item()
    return 1 - ratio**2 - (dim - 1) * ratio / kappa


CASES = [(2, 0.5), (2, 5.0), (3, 0.5), (3, 5.0), (10, 5.0), (3, 50.0)]


@pytest.mark.parametrize(("dim", "kappa"), CASES)
def test_the_gradient_of_a_von_mises_fisher_is_right(dim: int, kappa: float) -> None:
    check_mean(gradients(RejectionReparameterized(Wood()), sphere(dim), kappa, along(dim)), truth(dim, kappa))


@pytest.mark.parametrize(("dim", "kappa"), [(2, 0.5), (2, 5.0), (3, 5.0)])
def test_without_the_correction_it_is_off_by_a_fifth(dim: int, kappa: float) -> None:
    found = gradients(Dropped(Wood()), sphere(dim), kappa, along(dim))
    assert 0.13 < 1 - found.mean().item() / truth(dim, kappa) < 0.3
    with pytest.raises(AssertionError):
        check_mean(found, truth(dim, kappa))


def test_the_gradient_in_the_direction_is_right() -> None:
    """``E[x_0] = A(κ) μ_0``, whose gradient in μ, of length 1, is ``A·(e_0 - μ_0 μ)``."""
    loc = pole(3).expand(COUNT, 3).clone().requires_grad_()
    law = VonMisesFisher(loc, torch.full((COUNT,), 4.0, dtype=torch.float64))
    value = expectation(lambda x: x[..., 0], law, estimator=RejectionReparameterized(Wood()), generator=generator(1))
    (found,) = torch.autograd.grad(value.sum(), loc)
    ratio = bessel_ratio(0.5, torch.tensor(4.0, dtype=torch.float64))
    unit = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    check_mean(found, ratio * (unit - pole(3)[0] * pole(3)))


@pytest.mark.parametrize(("a", "augmentation"), [(0.3, 0), (1.0, 0), (2.5, 3), (50.0, 0)])
def test_accepted_draws_follow_the_gamma_law(a: float, augmentation: int) -> None:
    law, sampler = Gamma(torch.tensor(a, dtype=torch.float64), 2.0), MarsagliaTsang(augmentation)
    noise = sampler.trials(law, COUNT, generator(2)).draws(COUNT)
    check_continuous(sampler.transform(law, noise), lambda y: law.cdf(torch.tensor(y)))


@pytest.mark.parametrize("kappa", [1e-3, 2.0, 1e6])
def test_accepted_draws_follow_the_von_mises_fisher_law(kappa: float) -> None:
    """On the ordinary sphere ``exp(κ(w - 1))`` is nearly uniform: the CDF of w is known."""
    law = VonMisesFisher(pole(3), torch.tensor(kappa, dtype=torch.float64))
    noise = Wood().trials(law, COUNT, generator(2)).draws(COUNT)
    x = Wood().transform(law, noise)
    below = (x - pole(3)).square().sum(-1) / 2  # 1 - w
    check_continuous(below, lambda d: torch.expm1(-kappa * torch.tensor(d)) / math.expm1(-2 * kappa))
    assert (x.norm(dim=-1) - 1).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("sampler", "law"),
    [
        (MarsagliaTsang(), Gamma(torch.tensor([0.2, 1.0, 30.0], dtype=torch.float64), 1.0)),
        (MarsagliaTsang(2), Gamma(torch.tensor([0.2, 1.0, 30.0], dtype=torch.float64), 1.0)),
        (Wood(), VonMisesFisher(pole(2), torch.tensor([1e-3, 3.0, 1e5], dtype=torch.float64))),
        (Wood(), VonMisesFisher(pole(5), torch.tensor([1e-3, 3.0, 1e5], dtype=torch.float64))),
    ],
)
def test_the_acceptance_rate_is_the_one_of_the_formula(sampler: AcceptReject, law: td.Distribution) -> None:
    noise = sampler.propose(law, COUNT, generator(3))
    check_mean(sampler.log_accept(law, noise).exp(), sampler.log_acceptance_rate(law).exp())
    assert (sampler.log_accept(law, noise) <= 1e-12).all()


def test_acceptance_is_exact_where_its_terms_cancel() -> None:
    import mpmath

    law = Gamma(torch.tensor(1e6, dtype=torch.float64), 1.0)
    noise = torch.tensor([[-4.0, 1.0], [-0.1, 1.0], [0.5, 1.0], [4.0, 1.0]], dtype=torch.float64)
    d = mpmath.mpf(10) ** 6 - mpmath.mpf(1.0 / 3)
    for got, row in zip(MarsagliaTsang().log_accept(law, noise), noise, strict=True):
        t = mpmath.mpf(row[0].item()) / mpmath.sqrt(9 * d)
        with mpmath.workdps(60):
            exact = d * (1.5 * t**2 - 3 * t - t**3 + 3 * mpmath.log1p(t))
        assert got.item() == pytest.approx(float(exact), rel=1e-9)


def test_f_may_couple_elements() -> None:
    """``E[y_1 y_2] = a_1 a_2``: each element is scored with the whole product."""
    a = torch.tensor([1.2, 2.0], dtype=torch.float64).expand(COUNT, 2).clone().requires_grad_()
    for law in (Gamma(a, 1.0), Independent(Gamma(a, 1.0), 1)):
        value = expectation(
            lambda y: y.prod(-1), law, estimator=RejectionReparameterized(MarsagliaTsang()), generator=generator(4)
        )
        (found,) = torch.autograd.grad(value.sum(), a)
        check_mean(found, [2.0, 1.2])
        with pytest.raises(AssertionError):
            check_mean(found, [2.0, 1.3])


def test_the_gradient_in_the_parameters_of_f() -> None:
    weight = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    law = Gamma(torch.full((4,), 2.0, dtype=torch.float64), 1.0)
    estimator = RejectionReparameterized(MarsagliaTsang())
    value = expectation(lambda y: weight * y, law, estimator=estimator, samples=5000, generator=generator(5))
    (found,) = torch.autograd.grad(value.sum(), weight)
    assert found.item() == pytest.approx(value.sum().item() / 3, rel=1e-12)


class HalfNormal(AcceptReject):
    """A sampler of one's own: a normal with scale, kept where it is above a soft threshold."""

    def refusal(self, law: td.Distribution) -> str:
        return "" if isinstance(law, Normal) else "it is for a Normal"

    def propose(self, law, count, generator):
        return standard_normal((count, *law.batch_shape), like=law.loc, generator=generator)

    def log_accept(self, law, noise):
        return torch.nn.functional.logsigmoid(law.loc * noise)

    def transform(self, law, noise):
        return law.scale * noise


def test_a_sampler_of_ones_own() -> None:
    """Skew-logistic selection: ``E[ε]`` under ``φ(ε)·σ(λε)/Z`` with Z = 1/2, against quadrature."""
    skew = torch.full((COUNT,), 0.8, dtype=torch.float64, requires_grad=True)
    law = Normal(skew, torch.full((COUNT,), 2.0, dtype=torch.float64))
    value = expectation(lambda y: y, law, estimator=RejectionReparameterized(HalfNormal()), generator=generator(6))
    (found,) = torch.autograd.grad(value.sum(), skew)
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    lam = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    density = torch.exp(-(x**2) / 2 + torch.nn.functional.logsigmoid(lam * x))
    mean = 2 * (x * density).sum() / density.sum()
    (exact,) = torch.autograd.grad(mean, lam)
    check_mean(value.detach(), mean.item())
    check_mean(found, exact.item())


def test_second_derivatives_are_right() -> None:
    """``d²/da² a(a + 1) = 2``."""
    a = torch.full((COUNT,), 2.0, dtype=torch.float64, requires_grad=True)
    estimator = RejectionReparameterized(MarsagliaTsang(1))
    value = expectation(square, gamma(a), estimator=estimator, generator=generator(9))
    (first,) = torch.autograd.grad(value.sum(), a, create_graph=True)
    check_mean(torch.autograd.grad(first.sum(), a)[0], 2.0)


def gradient_at(sampler: AcceptReject, make, parameter: float, noise: Tensor, dtype: torch.dtype) -> Tensor:
    """Of the log density of accepted noise and of the draw, in the parameter; each ``[count]``."""
    theta = torch.full((len(noise),), parameter, dtype=dtype, requires_grad=True)
    law = make(theta)
    noise = noise.unsqueeze(0).to(dtype)
    (score,) = torch.autograd.grad(sampler.log_density(law, noise).sum(), theta)
    (path,) = torch.autograd.grad(sampler.transform(law, noise).sum(), theta)
    return torch.stack([score, path]).double()


@pytest.mark.parametrize("a", [1e-3, 0.5, 3.0, 1e3, 1e6])
def test_float32_has_the_gradient_of_float64_for_the_gamma(a: float) -> None:
    """Errors in the score count times y, which is of the size of ``max(a, 1)``, against a gradient of the mean of 1."""
    sampler = MarsagliaTsang(1)
    noise = sampler.propose(gamma(torch.tensor(a)), 1000, generator(10))
    noise = noise[sampler.log_accept(gamma(torch.tensor(a)), noise) > -5]  # what is hardly ever accepted does not count
    single, double = (gradient_at(sampler, gamma, a, noise, dtype) for dtype in (torch.float32, torch.float64))
    score, path = (single - double).abs()
    assert (score <= 5e-6 * (double[0].abs() + 1 / max(a, 1.0))).all()
    assert (path / double[1].abs().clamp(min=1.0)).max() < 1e-5


@pytest.mark.parametrize("dim", [2, 3, 50])
@pytest.mark.parametrize("kappa", [1e-4, 1.0, 1e4, 1e8])
def test_float32_has_the_gradient_of_float64_on_the_sphere(kappa: float, dim: int) -> None:
    """The score is of the size of ``min(1, 1/κ²)``, after its parts cancelled; the path goes by ``1/√κ``."""
    noise = Wood().propose(VonMisesFisher(pole(dim).float(), torch.tensor(kappa)), 1000, generator(11))
    on_axis = torch.cat([noise[:2], noise[:2]])
    on_axis[:4, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])

    def law(theta: Tensor) -> VonMisesFisher:
        return VonMisesFisher(pole(dim).to(theta.dtype).expand(len(theta), dim), theta)

    single, double = (gradient_at(Wood(), law, kappa, noise, dtype) for dtype in (torch.float32, torch.float64))
    small = torch.tensor([[min(1.0, kappa**-2)], [min(1.0, kappa**-1.5)]], dtype=torch.float64)
    assert ((single - double).abs() <= 1e-5 * double.abs() + 1e-6 * small).all()
    assert gradient_at(Wood(), law, kappa, on_axis, torch.float32).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_dtypes(dtype: torch.dtype) -> None:
    a = torch.tensor([0.01, 1.0, 20.0], dtype=dtype, requires_grad=True)
    estimator = RejectionReparameterized(MarsagliaTsang(1))
    value = expectation(lambda y: y.float(), Gamma(a, 1.0), estimator=estimator, samples=100, generator=generator(7))
    (found,) = torch.autograd.grad(value.sum(), a)
    assert value.isfinite().all()
    assert found.isfinite().all()
    assert found.dtype == dtype


def test_the_generator_decides_and_batches_may_be_empty() -> None:
    law, estimator = Gamma(torch.ones(3), 1.0), RejectionReparameterized(MarsagliaTsang())
    first, second = (expectation(square, law, estimator=estimator, generator=generator(8)) for _ in range(2))
    assert torch.equal(first, second)
    assert expectation(square, Gamma(torch.ones(0), 1.0), estimator=estimator).shape == (0,)


def test_refusals() -> None:
    with pytest.raises(EstimatorError, match="draws from a Gamma"):
        expectation(square, Normal(0.0, 1.0), estimator=RejectionReparameterized(MarsagliaTsang()))
    with pytest.raises(EstimatorError, match="draws from a VonMisesFisher"):
        expectation(square, Normal(0.0, 1.0), estimator=RejectionReparameterized(Wood()))
    with pytest.raises(EstimatorError, match="must be an AcceptReject"):
        RejectionReparameterized(MarsagliaTsang)
    with pytest.raises(EstimatorError, match="baseline must be"):
        RejectionReparameterized(Wood(), baseline=0.5)
    with pytest.raises(SamplerError, match="whole number"):
        MarsagliaTsang(-1)
    assert repr(RejectionReparameterized(MarsagliaTsang(2))) == ("RejectionReparameterized(MarsagliaTsang(2))")
