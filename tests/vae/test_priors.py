"""The standard normal prior."""

import math

import pytest
import torch

from reparam import vae


def test_standard_normal_by_hand() -> None:
    law = vae.StandardNormal(2)()
    assert law.event_shape == (2,)
    assert law.log_prob(torch.tensor([1.0, 2.0])).item() == pytest.approx(-math.log(2 * math.pi) - 2.5)
