"""What is abstract stays abstract, and Independent passes the noise through."""

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Independent, Law, Normal, Pathwise
from reparam.errors import ParameterError
from reparam.noise import generator


def normal():
    return Normal(torch.tensor([[0.0, 1.0, 2.0]] * 4), torch.tensor([0.5, 1.0, 2.0]))


@pytest.mark.parametrize("kind", [Law, Pathwise])
def test_bases_cannot_be_made(kind):
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_a_law_with_noise_of_another_shape():
    class Sum(Pathwise):
        """The sum of three standard normals times a parameter."""

        arg_constraints = {}  # noqa: RUF012 - torch's spelling
        noise_shape = torch.Size([2, 3])

        def __init__(self, factor):
            self.factor = factor
            super().__init__(factor.shape, validate_args=False)

        def _draw_noise(self, source, sample_shape):
            return source.standard_normal(sample_shape, self.noise_shape, like=self.factor)

        def from_noise(self, noise):
            return self.factor * noise.sum(-1)

    law = Sum(torch.ones(2))
    assert law.noise(5).shape == (5, 2, 3)
    assert law.rsample(5).shape == (5, 2)
    assert law.rsample(noise=torch.zeros(7, 2, 3)).shape == (7, 2)
    with pytest.raises(ParameterError, match=r"noise must have shape sample_shape \+ \(2, 3\); got \(7, 2\)"):
        law.rsample(noise=torch.zeros(7, 2))


def test_independent_forwards_generator_and_noise():
    base, law = normal(), Independent(normal(), 1)
    assert law.batch_shape == (4,)
    assert law.event_shape == (3,)
    for draw in (Independent.sample, Independent.rsample, Independent.noise):
        expected = getattr(base, draw.__name__)(2, generator=generator(0))
        assert torch.equal(draw(law, 2, generator=generator(0)), expected)
        assert torch.equal(draw(Independent(law, 1), (2,), generator=generator(0)), expected)
    noise = law.noise((2,))
    assert torch.equal(law.rsample(noise=noise), base.from_noise(noise))
    assert torch.equal(law.from_noise(noise), base.from_noise(noise))


def test_independent_of_a_foreign_law():
    law = Independent(td.Normal(torch.zeros(3), torch.ones(3)), 1)
    assert law.rsample(2).shape == law.sample((2,)).shape == (2, 3)
    for use in (
        lambda: law.sample(generator=generator(0)),
        lambda: law.rsample(generator=generator(0)),
        lambda: law.rsample(noise=torch.zeros(3)),
        lambda: law.noise(),
        lambda: law.from_noise(torch.zeros(3)),
    ):
        with pytest.raises(
            ParameterError, match=r"base law torch\.distributions\.normal\.Normal has no .*use a law of"
        ):
            use()


def test_kl_registry():
    """Ours against ours, against torch's, and through Independent: all in closed form."""
    ours, theirs = normal(), td.Normal(torch.zeros(4, 3), torch.ones(4, 3))
    expected = td.kl_divergence(td.Normal(ours.loc, ours.scale), theirs)
    assert torch.equal(td.kl_divergence(ours, theirs), expected)
    assert torch.equal(td.kl_divergence(ours, Normal(theirs.loc, theirs.scale)), expected)
    joint = td.kl_divergence(Independent(ours, 1), Independent(Normal(theirs.loc, theirs.scale), 1))
    torch.testing.assert_close(joint, expected.sum(-1))
    mixed = td.kl_divergence(Independent(ours, 1), td.Independent(theirs, 1))
    torch.testing.assert_close(mixed, expected.sum(-1))


def test_draws_inside_vmap_of_one_law():
    law = normal()
    noise = law.noise((5,))
    assert torch.equal(torch.vmap(law.from_noise)(noise), law.from_noise(noise))
