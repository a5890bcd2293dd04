"""Write docs/peers.md: which published laws pass `check_rsample` today, and which fail.

python docs/make_peers.py        (takes some minutes; needs Pyro)

Each row is one call of the instrument; what is printed is what it says. Nothing is known beforehand: the same list is
asked again whenever the page is made.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyro
import pyro.distributions as pd
import torch
import torch.distributions as td
from torch import Tensor, tensor

import reparam
from reparam.checking import Report, check_rsample

PAGE = Path(__file__).with_name("peers.md")

HEAD = """# Which published laws have a right gradient today?

Made by `python docs/make_peers.py`, which runs `reparam.check_rsample` over laws of torch {torch} and Pyro {pyro}; do
not edit by hand. Each row is one call at one point of the parameters, with one false alarm in a million reports.
*Fails* says what the instrument saw first; the whole report of any row is one command away:

```console
$ reparam check 'torch.distributions:ContinuousBernoulli(torch.tensor(0.5))'
```

A gradient that is right at one point may be wrong at another, and a law that fails at an extreme point may serve you
well where you are. Check yours where you use it.
"""


class Case(NamedTuple):
    """A law at a point: an expression, or a function and its parameters where the law does not tell them itself."""

    library: str
    text: str
    make: Callable[..., td.Distribution] | None = None
    parameters: dict[str, Tensor] | None = None


def expressions(library: str, *texts: str) -> Iterator[Case]:
    yield from (Case(library, text) for text in texts)


def diagonal_mixture(shift: tuple[float, float]) -> Case:
    """Two modes, moved together: the gradient must not care where the origin is."""
    locs = tensor([[0.0, 0.5], [1.0, -0.3]]) + tensor(shift)
    parameters = {"locs": locs, "scales": tensor([[1.0, 0.7], [0.8, 1.2]]), "logits": tensor([0.3, -0.2])}
    text = f"MixtureOfDiagNormals(two modes, shifted by {shift})"
    return Case("pyro", text, lambda locs, scales, logits: pd.MixtureOfDiagNormals(locs, scales, logits), parameters)


def relaxed_one_hot(temperature: float) -> Case:
    """At one temperature: torch's law takes no batch of them."""
    text = f"RelaxedOneHotCategorical({temperature}, logits=five)"
    make = partial(td.RelaxedOneHotCategorical, tensor(temperature))
    return Case("torch", text, lambda logits: make(logits=logits), {"logits": tensor([0.4, -0.2, 0.1, 0.0, 0.3])})


CASES = (
    *expressions(
        "torch",
        "Normal(0.7, 1.3)",
        "LogNormal(0.2, 0.5)",
        "HalfNormal(1.3)",
        "Laplace(0.7, 1.3)",
        "Cauchy(0.7, 1.3)",
        "HalfCauchy(1.3)",
        "Gumbel(0.7, 1.3)",
        "Uniform(-0.5, 2.0)",
        "Exponential(1.7)",
        "Weibull(1.3, 2.5)",
        "Weibull(1.0, 0.01)",
        "Pareto(1.3, 3.5)",
        "Pareto(1.0, 0.1)",
        "GeneralizedPareto(0.5, 1.3, 0.2)",
        "GeneralizedPareto(0.5, 1.3, 0.0)",
        "Kumaraswamy(2.0, 3.0)",
        "Kumaraswamy(1000.0, 1000.0)",
        "Kumaraswamy(0.1, 0.1)",
        "ContinuousBernoulli(tensor(0.3))",
        "ContinuousBernoulli(tensor(0.5))",
        "Gamma(3.0, 2.0)",
        "Gamma(0.01, 1.0)",
        "Chi2(4.5)",
        "InverseGamma(3.0, 2.0)",
        "InverseGamma(0.15, 1.0)",
        "Beta(2.0, 3.0)",
        "Beta(0.001, 0.001)",
        "Beta(2.0**16 + 1039, 1.5)",
        "StudentT(4.5, 0.7, 1.3)",
        "StudentT(0.2, 0.7, 1.3)",
        "FisherSnedecor(5.0, 9.0)",
        "FisherSnedecor(0.05, 0.05)",
        "Dirichlet(tensor([1.5, 0.7, 3.0]))",
        "Dirichlet(tensor([0.001, 0.001, 0.001]))",
        "RelaxedBernoulli(tensor(0.7), logits=tensor(0.4))",
        "RelaxedBernoulli(tensor(1.0), logits=tensor(40.0))",
        "OneHotCategoricalStraightThrough(logits=tensor([0.4, -0.2, 0.1]))",
        "MultivariateNormal(tensor([0.5, -1.0]), scale_tril=tensor([[1.0, 0.0], [0.5, 0.8]]))",
        "LowRankMultivariateNormal(tensor([0.5, -1.0]), tensor([[0.7], [0.2]]), tensor([0.5, 0.9]))",
        "LogisticNormal(tensor([0.5, -1.0]), tensor([0.7, 0.4]))",
        "LKJCholesky(3, 1.6)",
        "Wishart(tensor(4.5), scale_tril=tensor([[1.0, 0.0], [0.5, 0.8]]))",
    ),
    *expressions(
        "pyro",
        "AsymmetricLaplace(0.7, 1.3, 1.6)",
        "SoftLaplace(0.7, 1.3)",
        "Logistic(0.7, 1.3)",
        "SkewLogistic(0.7, 1.3, 1.6)",
        "SkewLogistic(0.7, 1.3, 0.01)",
        "MultivariateStudentT(tensor(4.5), tensor([0.5, -1.0]), tensor([[1.0, 0.0], [0.5, 0.8]]))",
        "MultivariateStudentT(tensor(0.1), tensor([0.5, -1.0]), tensor([[1.0, 0.0], [0.5, 0.8]]))",
    ),
    relaxed_one_hot(0.7),
    relaxed_one_hot(0.1),
    diagonal_mixture((0.0, 0.0)),
    diagonal_mixture((1.0, -1.0)),
    Case(
        "pyro",
        "MixtureOfDiagNormals(two modes at one place)",
        lambda locs, scales, logits: pd.MixtureOfDiagNormals(locs, scales, logits),
        {"locs": torch.zeros(2, 2), "scales": tensor([[1.0, 0.7], [0.8, 1.2]]), "logits": tensor([0.3, -0.2])},
    ),
    Case(
        "pyro",
        "MixtureOfDiagNormalsSharedCovariance(two modes, shifted by (1.0, -1.0))",
        lambda locs, scale, logits: pd.MixtureOfDiagNormalsSharedCovariance(locs, scale, logits),
        {
            "locs": tensor([[1.0, -0.5], [2.0, -1.3]]),
            "scale": tensor([1.0, 0.7]),
            "logits": tensor([0.3, -0.2]),
        },
    ),
)


def report_of(case: Case) -> Report:
    """What the instrument says of a case."""
    if case.make is not None:
        return check_rsample(case.make, case.parameters)
    home = {"torch": td, "pyro": pd}[case.library]
    return check_rsample(eval(case.text, {"tensor": torch.tensor, **vars(home)}))


def row(case: Case, report: Report) -> str:
    """One line of the page."""
    text = f"`{case.text}`" if case.make is None else case.text
    if report.ok:
        return f"| {case.library} | {text} | |\n"
    worst = min(report.failures, key=lambda finding: (finding.check == "shapes", finding.p_value or 0.0))
    others = sorted({finding.check for finding in report.failures} - {worst.check})
    also = f" Also: {', '.join(others)}." if others else ""
    said = str(worst).replace("|", "/")
    return f"| {case.library} | {text} | **{worst.check}**: {said}.{also} |\n"


def page() -> str:
    """The content of docs/peers.md."""
    good, bad = [], []
    for case in CASES:
        report = report_of(case)
        sys.stderr.write(f"{'ok  ' if report.ok else 'FAIL'} {case.library} {case.text}\n")
        (good if report.ok else bad).append(row(case, report))
    head = HEAD.format(torch=torch.__version__.partition("+")[0], pyro=pyro.__version__)
    return "".join(
        [
            head,
            "\n## Fails\n\n| library | law | what came first |\n|---|---|---|\n",
            *bad,
            "\n## Passes\n\n| library | law | |\n|---|---|---|\n",
            *good,
            f"\nreparam {reparam.__version__} itself: `reparam check`, without an argument, runs over all its laws.\n",
        ]
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    PAGE.write_text(page(), "utf-8")
