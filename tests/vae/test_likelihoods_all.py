"""What every likelihood promises, over the table of them."""

from typing import get_args

import numpy as np
import pytest
import torch

from reparam import noise, vae
from reparam.data.schema import Column, Schema
from reparam.planning import condition_of
from reparam.planning.values import misfit
from reparam.training import settings
from reparam.training.protocols import Rows
from reparam.vae import LIKELIHOODS, Architecture, CountFamily

SHAPES = [(3,), (2, 4, 5)]
COUNTS = sorted(name for name, part in LIKELIHOODS.items() if issubclass(part.kind, CountFamily))
REAL = ("gaussian", "laplace", "student-t")


def architecture(name: str, shape: tuple[int, ...] = (3,), **more) -> Architecture:
    network = "residual-mlp" if len(shape) == 1 else "convolutional"
    known = {"latent_dim": 2, "width": 8, "network": network, "levels": 32, "likelihood_components": 3}
    return Architecture(**known | {"event_shape": shape, "likelihood": name} | more)


def data(name: str, shape: tuple[int, ...], num_rows: int = 200) -> torch.Tensor:
    """Values of the kind, as the model sees them; each value has a mean and a spread of its own."""
    generator = noise.generator(0, name)
    spread = torch.linspace(0.3, 1.0, int(np.prod(shape))).reshape(shape)
    unit = torch.rand(num_rows, *shape, generator=generator) * spread
    if name in COUNTS:
        return (20 * unit**3).round()
    if name == "bernoulli":
        return (unit > 0.4).float()
    return unit if name in (*REAL, "continuous-bernoulli") else (unit * 31).round() / 31


def started(name: str, x: torch.Tensor) -> torch.nn.Module:
    family = LIKELIHOODS[name].build(architecture(name, tuple(x.shape[1:])))
    return family.start_at(x, resolution=torch.full((1,), 1e-4))


def zeros(family, x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(x), family.num_outputs(x.shape[1]), *x.shape[2:])


def test_the_choices_of_the_setting_are_the_names_of_the_table() -> None:
    assert set(settings.LIKELIHOODS) == set(LIKELIHOODS)
    assert tuple(sorted(LIKELIHOODS)) == settings.LIKELIHOODS


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_the_table_knows_the_class_it_builds(name: str) -> None:
    built = LIKELIHOODS[name].build(architecture(name))
    assert [other for other, part in LIKELIHOODS.items() if isinstance(built, part.kind)] == [name]


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_whatever_a_network_gives_log_prob_and_gradients_are_finite(name: str, shape, size: float) -> None:
    x = data(name, shape)
    if name in COUNTS:
        x[0], x[1] = 0, 1e6
    if name in REAL:
        x[0] = 1e3
    family = started(name, x)
    outputs = torch.full_like(zeros(family, x), size)
    outputs[::2, ::2] = -size  # the last outputs of a value are not those of another
    outputs.requires_grad_()
    law = family(outputs)
    log_prob = law.log_prob(x)
    assert (law.batch_shape, law.event_shape, log_prob.shape) == ((len(x),), shape, (len(x),))
    gradients = torch.autograd.grad(log_prob.sum(), [outputs, *family.parameters()])
    assert log_prob.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert law.mean.isfinite().all()


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("size", [-1e4, 0.0, 1e4])
def test_with_an_exposure_too(name: str, size: float) -> None:
    x = data(name, (6,))
    x[0], x[1] = 0, 1e6
    family = started(name, x)
    outputs = torch.zeros(len(x), family.num_outputs(6))
    outputs[:, ::3] = size
    outputs.requires_grad_()
    exposure = x.sum(1).clamp(min=1)
    law = family(outputs, exposure)
    gradients = torch.autograd.grad(law.log_prob(x).sum(), [outputs, *family.parameters()])
    assert law.log_prob(x).isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
@pytest.mark.parametrize("shape", SHAPES)
def test_means_and_samples_are_values_of_the_kind(name: str, shape) -> None:
    x = data(name, shape)
    family = started(name, x)
    law = family(zeros(family, x))
    drawn = law.sample(generator=noise.generator(0))
    assert drawn.shape == law.mean.shape == x.shape
    assert torch.equal(drawn, law.sample(generator=noise.generator(0)))
    assert law.support.check(drawn).all()
    assert law.support.is_discrete == (name not in (*REAL, "continuous-bernoulli"))
    if name in COUNTS:
        assert (drawn == drawn.trunc()).all()
        assert drawn.min() >= 0
    elif name not in REAL:
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert 0 <= law.mean.min() <= law.mean.max() <= 1


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_decoder_that_says_nothing_gives_each_value_its_mean(name: str, shape) -> None:
    x = data(name, shape)
    family = started(name, x)
    seen = family(zeros(family, x)).mean[0].detach()
    expected = x.mean(0).clamp(min=0.5 / len(x)) if name in COUNTS else x.mean(0)
    if name in ("laplace", "student-t"):
        expected = x.median(0).values
    # Probabilities are kept from 0; ends of the grid take what is beyond them; quantiles stand for a mean.
    loose = {"bernoulli": 2e-3, "categorical": 5e-3, "discretized-logistic": 0.05, "discretized-logistic-mixture": 0.05}
    tolerance = loose.get(name, 1e-4)
    torch.testing.assert_close(seen, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_of_every_likelihood_gives_terms(name: str, shape) -> None:
    x = data(name, shape)
    model = vae.assemble(architecture(name, shape))
    for part in model.modules():
        if hasattr(part, "start_at"):
            part.start_at(x, resolution=torch.full((1,), 1e-4))
    before = model.state_dict()
    terms = model(x)
    terms.loss.backward()
    assert terms.bound.isfinite().all()
    assert all(value.grad is not None for value in model.decoder.family.parameters())
    # What was started is kept with the weights: an empty model that is given them is the same.
    again = vae.assemble(architecture(name, shape))
    again.load_state_dict(before)
    torch.testing.assert_close(again.reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize("name", COUNTS)
def test_a_model_of_counts_takes_the_exposure_of_each_row(name: str) -> None:
    x = data(name, (3,))
    model = vae.assemble(architecture(name, exposure=True))
    known = condition_of(Rows(x, exposure=x.sum(1).clamp(min=1)))
    given = model.given(known)
    terms = vae.Elbo(2)(given, x)
    assert terms.bound.isfinite().all()
    if not name.startswith("zero"):
        torch.testing.assert_close(given.reconstruct(x).sum(1), x.sum(1).clamp(min=1))


def test_a_misfit_is_found_in_the_first_place_it_is_at() -> None:
    schema = Schema("table", (2,), columns=(Column("a"), Column("b")))
    whole, large = np.array([[0.0, 3.0], [2.0, 1.0]]), np.array([[0.0, 2.0**24 + 2]])
    for kind in (vae.Poisson, vae.NegativeBinomial, vae.ZeroInflatedPoisson, vae.ZeroInflatedNegativeBinomial):
        assert misfit(whole, schema, kind) is None
        assert misfit(whole - 1, schema, kind) == (
            "needs counts, whole numbers from 0 on; row 0, column 'a' (from 0) is -1.0"
        )
        assert misfit(large, schema, kind) == (
            "takes counts up to 16,777,216, as 32-bit floats do; row 0, column 'b' (from 0) is 16777218.0"
        )
        assert misfit(np.minimum(large, 2.0**24), schema, kind) is None
    assert misfit(whole, schema, vae.ContinuousBernoulli).endswith("row 0, column 'b' (from 0) is 3.0")
    assert misfit(whole / 3, schema, vae.ContinuousBernoulli) is None
    assert misfit(whole, schema, vae.Gaussian) is None


def test_objectives_take_every_noise() -> None:
    """Counts know nothing of how draws are spread."""
    x = data("negative-binomial", (3,))
    model = vae.assemble(architecture("negative-binomial"))
    for kind in get_args(vae.objectives.NoiseKind):
        assert vae.Elbo(2, noise=kind)(model, x).bound.isfinite().all()
