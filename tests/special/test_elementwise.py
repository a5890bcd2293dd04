"""An elementwise function as one operation: in pieces, batched, compiled, and by cases."""

import pytest
import torch
from torch import Tensor

from reparam.special import elementwise
from reparam.special.elementwise import in_pieces, opaque, where_each


@opaque
def _tests_scaled(x: Tensor, y: Tensor, power: int) -> Tensor:
    return x * y**power


@opaque
def _tests_both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    assert x.dim() == 1
    return x + y, x - y


X, Y = torch.linspace(-2, 3, 12).reshape(3, 4), torch.linspace(1, 2, 4)


def test_an_operation_broadcasts_and_drops_gradients():
    x = X.clone().requires_grad_()
    assert torch.equal(_tests_scaled(x, Y, 3), X * Y**3)
    assert not _tests_scaled(x, Y, 3).requires_grad
    assert [part.shape for part in _tests_both(torch.empty(0, 4), Y)] == [(0, 4), (0, 4)]
    assert [part.shape for part in _tests_both(X[0, 0], Y[0])] == [(), ()]


@pytest.mark.parametrize("in_dims", [(0, None), (1, 0), (None, 0)])
def test_an_operation_under_vmap(in_dims):
    def batched(function):
        return torch.vmap(lambda x, y: function(x, y.sum()), in_dims)(X, Y)

    torch.testing.assert_close(batched(lambda x, y: _tests_scaled(x, y, 2)), batched(lambda x, y: x * y**2))
    torch.testing.assert_close(batched(_tests_both), batched(lambda x, y: (x + y, x - y)))


@pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")
def test_a_compiler_sees_one_operation():
    seen = []

    def backend(graph, _):
        seen.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    total = torch.compile(lambda x, y: torch.stack(_tests_both(x, y)), backend=backend, fullgraph=True)(X, Y)
    torch.testing.assert_close(total, torch.stack((X + Y, X - Y)))
    assert sum("tests_both" in name for name in seen) == 1
    assert not any(name in ("add", "sub") for name in seen)


def test_pieces_are_small_and_joined_in_order(monkeypatch):
    monkeypatch.setattr(elementwise, "_CACHE", 4 * 2 * 5)  # five elements of two float32 values
    sizes = []

    def function(x, y):
        sizes.append(len(x))
        return x + y, torch.stack([x, y])

    whole, stacked = in_pieces(function, X, X + 1, depth=2)
    assert sizes == [5, 5, 2]
    assert torch.equal(whole, X + (X + 1))
    assert torch.equal(stacked, torch.stack([X, X + 1]))


@pytest.mark.parametrize("waits_for_nobody", [True, False])
def test_each_element_by_its_case(monkeypatch, waits_for_nobody):
    monkeypatch.setattr(elementwise, "_waits_for_nobody", lambda tensor: waits_for_nobody)
    x = torch.tensor([-1.0, 2.0, torch.nan, -3.0, 5.0])
    seen = where_each((x < 0, torch.neg), (x >= 0, torch.sqrt), arguments=(x,))
    torch.testing.assert_close(seen, x.abs().where(x < 0, x.sqrt()), equal_nan=True)


@pytest.mark.parametrize("waits_for_nobody", [True, False])
def test_several_values_of_each_element_by_its_case(monkeypatch, waits_for_nobody):
    monkeypatch.setattr(elementwise, "_waits_for_nobody", lambda tensor: waits_for_nobody)
    x = torch.tensor([-1.0, 2.0, -3.0, 5.0, 7.0])
    cases = (x < 0, lambda x: (x - 1, x + 1)), (x >= 0, lambda x: (2 * x, 3 * x))
    one, other = where_each(*cases, arguments=(x,))
    torch.testing.assert_close(one, torch.tensor([-2.0, 4.0, -4.0, 10.0, 14.0]))
    torch.testing.assert_close(other, torch.tensor([0.0, 6.0, -2.0, 15.0, 21.0]))
