"""What the model sees: levels as exact fractions, binarisation with the right law, the same draws for the same seed."""

import numpy as np
import pytest
import torch

from reparam import noise
from reparam.training.feed import DeviceFeed
from tests.statistical.instruments import check_mean

GREY = torch.arange(256, dtype=torch.uint8).reshape(16, 4, 4)


def test_levels_become_exact_fractions() -> None:
    feed = DeviceFeed(GREY, levels=256, seed=0, name="train")
    x = feed.gather(torch.arange(16), None).x
    assert x.dtype == torch.float32
    assert torch.equal(x, GREY.float() / 255)
    assert (x.min().item(), x.max().item()) == (0.0, 1.0)
    seventeen = DeviceFeed(torch.tensor([[0, 4, 16]], dtype=torch.uint8), levels=17, seed=0, name="train")
    assert seventeen.gather(torch.tensor([0]), None).x.tolist() == [[0.0, 0.25, 1.0]]


def test_scaled_floats_are_left_alone() -> None:
    values = torch.randn(5, 3, generator=noise.generator(0))
    feed = DeviceFeed(values, seed=0, name="train")
    assert len(feed) == 5
    assert torch.equal(feed.gather(torch.tensor([4, 0, 0]), None).x, values[[4, 0, 0]])


def test_what_is_known_of_each_row_follows_it() -> None:
    values, exposure = torch.arange(5.0)[:, None], torch.tensor([2.0, 3.0, 5.0, 7.0, 11.0])
    feed = DeviceFeed(values, seed=0, name="train", features=torch.eye(5), exposure=exposure)
    rows = feed.gather(torch.tensor([4, 0, 0]), None)
    assert rows.features is not None
    assert rows.exposure is not None
    assert rows.x[:, 0].tolist() == [4.0, 0.0, 0.0]
    assert rows.features.argmax(1).tolist() == [4, 0, 0]
    assert rows.exposure.tolist() == [11.0, 2.0, 2.0]
    assert [part.exposure.tolist() for part in feed.in_order(3)] == [[2.0, 3.0, 5.0], [7.0, 11.0]]
    bare = DeviceFeed(values, seed=0, name="train").gather(torch.arange(2), None)
    assert (bare.features, bare.exposure) == (None, None)


def test_dynamic_binarisation_has_the_grey_value_as_its_mean() -> None:
    feed = DeviceFeed(GREY, levels=256, binarize="dynamic", seed=0, name="train")
    generator = noise.generator(1)
    draws = torch.stack([feed.gather(torch.arange(16), generator).x for _ in range(2000)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    # A pixel of level 1 is hardly ever drawn: its own standard error is no guide, so levels are pooled by sixteens.
    check_mean(draws.flatten(2).mean(2).numpy(), (GREY.double() / 255).flatten(1).mean(1).numpy())
    certain = draws.flatten(1)
    assert (certain[:, 0] == 0).all()
    assert (certain[:, 255] == 1).all()


def test_dynamic_binarisation_is_new_each_time_and_follows_the_generator() -> None:
    feed = DeviceFeed(GREY, levels=256, binarize="dynamic", seed=0, name="train")
    rows, generator = torch.arange(16), noise.generator(1)
    first, second = feed.gather(rows, generator).x, feed.gather(rows, generator).x
    assert not torch.equal(first, second)
    assert torch.equal(first, feed.gather(rows, noise.generator(1)).x)
    assert torch.equal(feed.values, GREY)


def test_static_binarisation_is_drawn_once_by_seed_and_split() -> None:
    many = GREY.repeat(20, 1, 1)

    def seen(seed: int, name: str) -> torch.Tensor:
        return DeviceFeed(many, levels=256, binarize="static", seed=seed, name=name).gather(torch.arange(320), None).x

    feed = DeviceFeed(many, levels=256, binarize="static", seed=0, name="test")
    assert torch.equal(feed.gather(torch.arange(320), None).x, feed.gather(torch.arange(320), noise.generator(7)).x)
    assert torch.equal(seen(0, "test"), feed.gather(torch.arange(320), None).x)
    assert not torch.equal(seen(0, "test"), seen(0, "validation"))
    assert not torch.equal(seen(0, "test"), seen(1, "test"))
    drawn = seen(0, "test").unflatten(0, (20, 16)).flatten(2)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    check_mean(drawn.mean(2).numpy(), (GREY.double() / 255).flatten(1).mean(1).numpy())


@pytest.mark.parametrize("binarize", ["none", "static", "dynamic"])
def test_in_order_gives_every_row_once_the_same_each_time(binarize: str) -> None:
    feed = DeviceFeed(GREY, levels=256, binarize=binarize, seed=0, name="test")  # type: ignore[arg-type]
    first, second = ([rows.x for rows in feed.in_order(5)] for _ in range(2))
    assert [len(batch) for batch in first] == [5, 5, 5, 1]
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    if binarize != "dynamic":
        assert torch.equal(torch.cat(first), feed.gather(torch.arange(16), None).x)


def test_static_draws_do_not_depend_on_how_many_rows_are_drawn_at_once() -> None:
    values = torch.full((5000, 2), 128, dtype=torch.uint8)
    feed = DeviceFeed(values, levels=256, binarize="static", seed=0, name="train")
    halves = feed.gather(torch.arange(5000), None).x.numpy()
    assert not np.array_equal(halves[:904], halves[4096:])
    check_mean(halves, 128 / 255)
