"""``expectation`` and ``choose``: shapes, coupling, who is chosen, what is refused."""

import pytest
import torch
import torch.distributions as td

import reparam
from reparam import distributions as rd
from reparam.errors import EstimatorError
from reparam.estimators import Enumerate, LeaveOneOut, Pathwise, ScoreFunction, choose, expectation
from reparam.noise import generator
from tests.statistical.instruments import check_mean


def square(y):
    return y**2


@pytest.mark.parametrize(
    ("f", "shape"), [(square, (4, 3)), (lambda y: y.sum(-1), (4,)), (lambda y: y.sum((-2, -1)), ())]
)
@pytest.mark.parametrize("estimator", [Pathwise(), ScoreFunction(), ScoreFunction(LeaveOneOut()), Enumerate(), None])
def test_the_batch_dimensions_that_f_keeps_are_those_of_the_result(estimator, f, shape):
    probs = torch.full((4, 3), 0.3, requires_grad=True)
    law = rd.Normal(probs, 1.0) if isinstance(estimator, Pathwise) else rd.Bernoulli(probs)
    value = expectation(f, law, estimator=estimator, samples=5)
    assert value.shape == shape
    assert torch.autograd.grad(value.sum(), probs)[0].shape == (4, 3)


@pytest.mark.parametrize("estimator", [ScoreFunction(), ScoreFunction(LeaveOneOut()), Enumerate()])
@pytest.mark.parametrize("kind", [None, td.Independent, rd.Independent])
def test_coupled_elements_share_the_value_of_f(estimator, kind):
    # E Π y = Π p: the gradient in p_0 is p_1 p_2.
    probs = torch.tensor([0.3, 0.6, 0.8], dtype=torch.float64).expand(100_000, 3).clone().requires_grad_()
    law = kind(rd.Bernoulli(probs), 1) if kind else rd.Bernoulli(probs)
    value = expectation(lambda y: y.prod(-1), law, estimator=estimator, samples=2)
    (found,) = torch.autograd.grad(value.sum(), probs)
    check_mean(found, [0.48, 0.24, 0.18])


def test_parameters_of_f_get_their_gradient():
    weight = torch.tensor(2.0, requires_grad=True)
    for law, estimator in [
        (rd.Normal(torch.tensor(1.0, requires_grad=True), 0.1), Pathwise()),
        (rd.Normal(torch.tensor(1.0, requires_grad=True), 0.1), ScoreFunction()),
        (rd.Bernoulli(torch.tensor(0.3, requires_grad=True)), Enumerate()),
    ]:
        value = expectation(lambda y: weight * y, law, estimator=estimator, samples=1000, generator=generator(0))
        found = torch.autograd.grad(value, weight)[0]
        assert found == pytest.approx(float(law.mean.detach()), abs=0.02)


def test_the_score_function_has_second_derivatives():
    probs = torch.full((200_000,), 0.3, dtype=torch.float64, requires_grad=True)
    value = expectation(lambda y: y, rd.Bernoulli(probs**2), estimator=ScoreFunction(), generator=generator(0))
    (first,) = torch.autograd.grad(value.sum(), probs, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), probs)
    check_mean(second, 2.0)


def test_a_generator_says_what_comes():
    law = rd.Bernoulli(torch.full((50,), 0.5, requires_grad=True))
    first, again, other = (
        expectation(lambda y: y.sum(-1), law, estimator=ScoreFunction(), generator=generator(seed))
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_mixture_with_separated_modes_is_stratified():
    logits = torch.zeros(1000, 2, dtype=torch.float64, requires_grad=True)
    law = rd.MixtureSameFamily(rd.Categorical(logits=logits), rd.Normal(torch.tensor([-9.0, 10.0]).double(), 1.0))
    estimator, _ = choose(square, law)
    value = expectation(lambda y: y, law, estimator=estimator, samples=3, generator=generator(0))
    (found,) = torch.autograd.grad(value.sum(), logits)
    check_mean(found, [-4.75, 4.75])
    assert found.std(0).max() < 1
    with pytest.raises(EstimatorError, match="couples 1000 draws of a mixture"):
        expectation(lambda y: y.sum(-1), law, estimator=estimator)
    assert isinstance(choose(lambda y: y.sum(-1), law).estimator, ScoreFunction)


@pytest.mark.parametrize(
    ("law", "kind"),
    [
        (rd.Normal(0.0, 1.0), Pathwise),
        (rd.Gamma(2.0, 1.0), Pathwise),
        (td.Laplace(0.0, 1.0), Pathwise),
        (rd.Bernoulli(torch.full((1000,), 0.5)), Enumerate),
        (rd.Independent(rd.Bernoulli(torch.full((8,), 0.5)), 1), Enumerate),
        (rd.OneHotCategorical(logits=torch.zeros(7, 10)), Enumerate),
        (rd.OneHotCategoricalStraightThrough(logits=torch.zeros(10)), Enumerate),
        (td.VonMises(0.0, 1.0), ScoreFunction),
    ],
)
def test_the_choice_fits_the_law_and_says_why(law, kind):
    events = tuple(range(-len(law.event_shape), 0))
    estimator, reason = choose(lambda y: y.sum(events) if events else y, law)
    assert isinstance(estimator, kind)
    assert len(reason) > 10
    assert estimator.refusal(law) == ""


BAD = [
    ({"f": 3}, "f must be a function of draws; got 3"),
    ({"f": lambda y: 2.0}, "f must return a tensor"),
    ({"f": lambda y: y.sum()}, "keep the first dimension S"),
    ({"f": lambda y: y.mean(0)}, "keep the first dimension S"),
    ({"f": lambda y: y.detach() ** 2}, "no gradient gets from f's value back"),
    ({"f": lambda y: (y > 0).float()}, "no gradient gets from f's value back"),
    ({"f": lambda y: torch.ones(len(y), 3)}, "no gradient gets from f's value back"),
    ({"samples": 0}, "samples must be a whole number >= 1; got 0"),
    ({"samples": True}, "samples must be"),
    ({"samples": 1.5}, "samples must be"),
    ({"law": torch.zeros(3)}, "law must be a torch distribution"),
    ({"estimator": Pathwise}, "estimator must be one of"),
    ({"estimator": "pathwise"}, "estimator must be one of"),
    ({"estimator": Enumerate()}, "Enumerate.* does not fit Normal: its values cannot be listed.*Use Pathwise"),
    ({"law": td.Normal(torch.zeros(3), 1.0), "generator": generator(0)}, "takes no generator="),
    ({"estimator": ScoreFunction(LeaveOneOut())}, "at least two samples"),
]


@pytest.mark.parametrize(("change", "text"), BAD)
def test_what_makes_no_sense_is_refused(change, text):
    loc = torch.zeros(3, requires_grad=True)
    given = {"f": square, "law": rd.Normal(loc, 1.0), **change}
    with pytest.raises(EstimatorError, match=text):
        expectation(given.pop("f"), given.pop("law"), **given)


def test_pathwise_through_a_coin_is_refused_with_the_name_of_one_that_works():
    law = rd.Bernoulli(torch.tensor(0.3, requires_grad=True))
    with pytest.raises(
        EstimatorError, match=r"Pathwise\(\) does not fit Bernoulli: its draws do not move.*Use Enumerate"
    ):
        reparam.expectation(square, law, estimator=Pathwise())


def test_the_score_function_is_refused_where_the_support_moves():
    """E y of U(0, h) is h/2, but the score of the draw says E[y·(-1/h)] = -1/2."""
    high = torch.tensor(1.0, requires_grad=True)
    for law in (rd.Uniform(0.0, high), td.Uniform(0.0, high), rd.Independent(rd.Uniform(torch.zeros(2), high), 1)):
        with pytest.raises(EstimatorError, match=r"support moves with a parameter.*Use Pathwise\(\)"):
            expectation(lambda y: y.sum(-1) if y.dim() > 1 else y, law, estimator=ScoreFunction())
    assert expectation(lambda y: y, rd.Pareto(1.0, high), estimator=ScoreFunction()).shape == ()


def test_too_many_states_are_refused_with_their_number():
    law = rd.Bernoulli(torch.full((40,), 0.5, requires_grad=True))
    with pytest.raises(EstimatorError, match="couples 40 elements of 2 values each: 1099511627776 evaluations"):
        expectation(lambda y: y.sum(-1), law, estimator=Enumerate())


def test_a_constant_law_needs_no_path():
    assert expectation(lambda y: (y > 0).float(), rd.Normal(0.0, 1.0), samples=10).shape == ()
