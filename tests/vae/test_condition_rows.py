"""What is known about each example reaches its own rows, in networks and in families, draw by draw."""

import pytest
import torch
from torch import Tensor, nn

from reparam import noise, vae
from reparam.distributions import Independent, Normal
from reparam.errors import UsageError
from reparam.planning import FeedLoss
from reparam.training.protocols import Rows
from tests.vae.small import small_vae

FEATURES = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
EXPOSURE = torch.tensor([5.0, 6.0, 7.0])


class LastInputs(nn.Module):
    """A network that says what the features are, and nothing else."""

    def __init__(self, num_features: int, num_zeros: int = 0) -> None:
        super().__init__()
        self.num_features, self.num_zeros = num_features, num_zeros

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, -self.num_features :], x.new_zeros(len(x), self.num_zeros)], dim=1)


class Proportional(nn.Module):
    """A family whose mean is proportional to the exposure."""

    def num_outputs(self, num_values: int) -> int:
        return num_values

    def forward(self, outputs: Tensor, exposure: Tensor) -> Independent:
        return Independent(Normal(outputs * exposure[:, None], 1.0), 1)


def telling_vae() -> vae.VAE:
    """``q(z|x, c) = N(c, I)`` and ``p(x|z, c) = N(c, I)``: the features are the mean of both."""
    encoder = vae.Conditional(LastInputs(2, num_zeros=2), vae.DiagonalNormal())
    return vae.VAE(encoder, vae.Conditional(LastInputs(2), vae.Gaussian((2,))), vae.StandardNormal(2))


def test_a_condition_repeats_examples_over_and_over() -> None:
    repeated = vae.Condition(FEATURES, EXPOSURE).repeated(6)
    assert repeated.features.tolist() == [*FEATURES.tolist(), *FEATURES.tolist()]
    assert repeated.exposure is not None
    assert repeated.exposure.tolist() == [5, 6, 7, 5, 6, 7]
    assert vae.Condition(FEATURES).repeated(3).exposure is None
    for rows in (0, 2, 7):
        with pytest.raises(UsageError, match=rf"a condition of 3 rows is known for as many .*, got {rows} rows"):
            vae.Condition(FEATURES).repeated(rows)


@pytest.mark.parametrize("objective", [vae.Elbo(), vae.Elbo(4), vae.ImportanceWeighted(5)], ids=str)
def test_every_draw_sees_the_features_of_its_own_example(objective: vae.Objective) -> None:
    given = telling_vae().given(vae.Condition(FEATURES))
    terms = objective(given, FEATURES, generator=noise.generator(0))
    law = Independent(Normal(FEATURES, telling_vae().decoder.family.scale.detach()), 1)  # type: ignore[union-attr]
    torch.testing.assert_close(terms.distortion, -law.log_prob(FEATURES))
    torch.testing.assert_close(given.encoder(FEATURES).mean, FEATURES)
    wrong = objective(given, FEATURES.flip(0), generator=noise.generator(0))
    assert (wrong.distortion[[0, 2]] > terms.distortion[[0, 2]] + 100).all()


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_likelihood_gets_the_exposure_of_its_own_example_and_the_posterior_none(num_samples: int) -> None:
    model = telling_vae()
    model.decoder.family = Proportional()
    given = model.given(vae.Condition(FEATURES, EXPOSURE))
    x = FEATURES * EXPOSURE[:, None]
    terms = vae.Elbo(num_samples)(given, x, generator=noise.generator(0))
    peak = -Independent(Normal(torch.zeros(3, 2), 1.0), 1).log_prob(torch.zeros(3, 2))
    torch.testing.assert_close(terms.distortion, peak)
    torch.testing.assert_close(given.encoder(x).mean, FEATURES)
    torch.testing.assert_close(given.reconstruct(x), x)
    torch.testing.assert_close(given.decode(torch.zeros(3, 2), observation_noise=False), x)


def test_images_get_a_plane_for_each_feature() -> None:
    seen = []
    model = small_vae((1, 4, 6), num_features=2)
    model.encoder.network.register_forward_hook(lambda module, given, outputs: seen.append(given[0]))
    x = torch.rand(3, 1, 4, 6, generator=noise.generator(0))
    law = model.given(vae.Condition(FEATURES)).encoder(x)
    assert law.batch_shape == (3,)
    (shown,) = seen
    assert torch.equal(shown[:, :1], x)
    assert torch.equal(shown[:, 1:], FEATURES[:, :, None, None].expand(3, 2, 4, 6))


def test_features_are_not_views_of_the_example() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 2

    seen = []
    network = LastInputs(4)
    network.register_forward_hook(lambda module, given, outputs: seen.append(given[0]))
    vae.Conditional(network, vae.DiagonalNormal(), view=Half())(FEATURES, vae.Condition(FEATURES))
    assert torch.equal(seen[0], torch.cat([FEATURES / 2, FEATURES], dim=1))


def test_no_condition_is_the_model_itself() -> None:
    model = telling_vae()
    assert model.given(None) is model


def test_a_condition_of_other_rows_is_refused() -> None:
    given = telling_vae().given(vae.Condition(FEATURES))
    with pytest.raises(UsageError, match=r"a condition of 3 rows is known for as many examples .*, got 4 rows"):
        given.encoder(torch.zeros(4, 2))


def test_training_fills_in_what_rows_say() -> None:
    model, loss = telling_vae(), FeedLoss(vae.Elbo(3))
    terms = loss(model, Rows(FEATURES, FEATURES), beta=0.5, generator=noise.generator(0))
    expected = vae.Elbo(3)(model.given(vae.Condition(FEATURES)), FEATURES, beta=0.5, generator=noise.generator(0))
    assert torch.equal(terms.loss, expected.loss)
    model.decoder.network = nn.Identity()
    model.encoder.network = LastInputs(2, num_zeros=2)
    model.decoder.family = Proportional()
    only = loss(model, Rows(FEATURES, None, EXPOSURE), beta=1.0, generator=noise.generator(0))
    z = model.encoder(FEATURES).rsample((3,), generator=noise.generator(0))
    law = Independent(Normal(z * EXPOSURE[:, None], 1.0), 1)
    torch.testing.assert_close(only.distortion, -law.log_prob(FEATURES).mean(0))
