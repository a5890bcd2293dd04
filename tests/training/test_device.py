"""Devices are named or refused, never swapped in silence; likelihood and KL are float32 whatever the networks are."""

import os

import pytest
import torch

from reparam import noise, vae
from reparam.errors import UsageError
from reparam.training import device as devices
from reparam.training.device import accelerator_for, available_devices, reproducible_kernels
from tests.vae.small import small_vae


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu"])


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(UsageError, match=rf"device '{name}' is not available here; available: cpu \(or auto\)"):
        accelerator_for(name, "float32")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "cpu:0"])
def test_a_device_that_is_none_is_refused_with_what_a_device_is(name: str) -> None:
    with pytest.raises(UsageError, match=rf"device must be auto, cpu, cuda, cuda:N or mps, got '{name}'"):
        accelerator_for(name, "float32")


def test_cpu_is_always_there() -> None:
    assert available_devices()[0] == "cpu"
    assert accelerator_for("cpu", "float32").device == torch.device("cpu")


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="auto takes the GPU")
def test_auto_is_the_cpu_without_a_gpu() -> None:
    assert accelerator_for("auto", "float32").device == torch.device("cpu")


def test_two_precisions_follow_each_other_in_one_process_and_leave_the_environment_alone() -> None:
    before = dict(os.environ)
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4, generator=noise.generator(0))
    for precision, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with accelerator_for("cpu", precision).autocast():
            assert layer(x).dtype == dtype
    assert dict(os.environ) == before


@pytest.mark.parametrize("likelihood", sorted(vae.LIKELIHOODS))
def test_terms_are_float32_in_half_precision(likelihood: str) -> None:
    model = small_vae((1, 8, 8), likelihood, levels=17)
    x = torch.zeros(3, 1, 8, 8)
    seen = []
    model.encoder.network.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    with accelerator_for("cpu", "bfloat16").autocast():
        posterior = model.encoder(x)
        assert posterior.mean.dtype == posterior.stddev.dtype == torch.float32
        seen.clear()
        terms = model(x, noise.generator(0))
    assert seen == [torch.bfloat16]
    assert terms.distortion.dtype == terms.rate.dtype == terms.bound.dtype == terms.loss.dtype == torch.float32
    with accelerator_for("cpu", "float32").autocast():
        full = model(x, noise.generator(0))
    # bfloat16 has 8 bits: each of 64 outputs is off by 1/256 of its size at most, and the terms by little more.
    torch.testing.assert_close(terms.distortion, full.distortion, rtol=0.02, atol=0.02)


def test_the_choice_of_kernels_is_put_back_after_an_error_too() -> None:
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    inside = []

    def work() -> None:
        with reproducible_kernels():
            inside.append((torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert inside == [(True, False)]
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == before
