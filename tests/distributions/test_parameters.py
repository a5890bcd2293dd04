"""Parameters that do not fit are named, with value, count, place and remedy."""

import pytest
import torch

from reparam.distributions import Bernoulli, Logistic, Normal
from reparam.errors import ParameterError, UsageError

laws = pytest.mark.parametrize("law", [Normal, Logistic])


@laws
def test_scale_must_be_positive(law):
    scale = torch.tensor([[1.0, 2.0, 0.0], [1.0, -3.0, 1.0]])
    message = (
        rf"^{law.__name__}: scale must be positive and finite; got 0 at index \(0, 2\) "
        r"\(2 of 6 values are wrong\)\. Use torch\.nn\.functional\.softplus or exp"
    )
    with pytest.raises(ParameterError, match=message):
        law(torch.zeros(3), scale)
    with pytest.raises(ParameterError, match=r"scale must be positive and finite; got -1\. Use"):
        law(0.0, -1.0)


def test_an_error_is_also_what_torch_raises():
    with pytest.raises(ValueError, match="scale"):
        Normal(0.0, -1.0)
    assert issubclass(ParameterError, UsageError)


@laws
def test_shapes_dtypes_and_devices_must_go_together(law):
    with pytest.raises(ParameterError, match=r"shapes loc \(3,\), scale \(4,\) do not broadcast.*unsqueeze"):
        law(torch.zeros(3), torch.ones(4))
    with pytest.raises(ParameterError, match=r"share one dtype; loc has torch\.float32, scale has torch\.float64"):
        law(torch.zeros(3), torch.ones(3, dtype=torch.float64))
    with pytest.raises(ParameterError, match=r"share one device; loc has cpu, scale has meta"):
        law(torch.zeros(3), torch.ones(3, device="meta"))


@laws
@pytest.mark.parametrize("bad", [[1.0, 2.0], "1", None, True, 1j], ids=repr)
def test_other_types_are_refused(law, bad):
    with pytest.raises(ParameterError, match=r"loc must be a number or a tensor; got .*torch\.as_tensor"):
        law(bad, 1.0)


@laws
@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64])
def test_other_dtypes_are_refused_even_unvalidated(law, dtype):
    with pytest.raises(ParameterError, match=r"loc must be floating point"):
        law(torch.ones(2, dtype=dtype), 1.0, validate_args=False)


@laws
def test_numbers_follow_the_tensors(law):
    made = law(torch.zeros(2, 1, dtype=torch.float64), 2)
    assert made.scale.dtype == torch.float64
    assert made.scale.shape == made.loc.shape == (2, 1)
    assert law(0, 1).loc.dtype == torch.get_default_dtype()


def test_bernoulli_parameters():
    with pytest.raises(ParameterError, match=r"probs must be a probability.*got 1\.5 at index \(1,\).*sigmoid"):
        Bernoulli(torch.tensor([0.5, 1.5]))
    with pytest.raises(ParameterError, match="got neither"):
        Bernoulli()
    with pytest.raises(ParameterError, match="got both"):
        Bernoulli(probs=0.5, logits=0.0)


def test_meta_tensors_and_vmap_are_served():
    assert Normal(torch.zeros(3, device="meta"), 1.0).rsample((2,)).shape == (2, 3)
    with pytest.raises(ParameterError, match="scale must be positive and finite, and somewhere in this vmap"):
        torch.vmap(lambda scale: Normal(0.0, scale).loc)(torch.tensor([1.0, -1.0]))


class Unlooked(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails when a value leaves the device: each such look waits for a GPU to finish."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function not in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.is_nonzero.default,
            torch.ops.aten.nonzero.default,
        ), f"{function} looks at a value"
        return function(*args, **(kwargs or {}))


@laws
def test_unvalidated_laws_never_look_at_values(law):
    loc, scale = torch.zeros(3), torch.ones(3)
    with Unlooked():
        made = law(loc, scale, validate_args=False)
        made.log_prob(made.rsample((2,)))
        law(loc, 1.0, validate_args=False)
        with pytest.raises(AssertionError, match="looks at a value"):
            law(loc, scale, validate_args=True)
