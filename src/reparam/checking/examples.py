"""One example of each public law, for ``reparam check`` without an argument: a new law adds a line."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributions as td

from reparam import distributions as law

__all__ = ["EXAMPLES", "Example"]


class Example(NamedTuple):
    """A law at asymmetric parameters: a function and what it is called with (numbers and nested lists)."""

    name: str
    make: Callable[..., td.Distribution]
    parameters: dict[str, Any]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The parameters in float64."""
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in self.parameters.items()}


def _chained(loc: torch.Tensor, scale: torch.Tensor, slope: torch.Tensor) -> td.Distribution:
    def then(a: torch.Tensor, slope: torch.Tensor) -> td.Distribution:
        return law.Independent(law.Normal(slope.unsqueeze(-1) * a, 0.5 + a.sigmoid()), 1)

    return law.Chained(law.Independent(law.Normal(loc, scale), 1), then, sizes=(1, 1), given=[slope])


def _mixture(logits: torch.Tensor, loc: torch.Tensor, scale: torch.Tensor) -> td.Distribution:
    return law.MixtureSameFamily(law.Categorical(logits=logits), law.Normal(loc, scale))


def _multivariate_normal(loc: torch.Tensor, scale_tril: torch.Tensor) -> td.Distribution:
    return law.MultivariateNormal(loc, scale_tril=scale_tril)


def _transformed(loc: torch.Tensor, scale: torch.Tensor, stretch: torch.Tensor) -> td.Distribution:
    stretched = td.AffineTransform(torch.zeros_like(stretch), stretch)
    return law.Transformed(law.Normal(loc, scale), td.ComposeTransform([stretched, td.SoftplusTransform()]))


def _wishart(df: torch.Tensor, scale_tril: torch.Tensor) -> td.Distribution:
    return law.Wishart(df, scale_tril=scale_tril)


_TRIL = [[1.2, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.3, 0.2, 1.5]]
_VECTOR = [0.5, -1.0, 0.2]
_DIRECTION = [0.6, 0.0, -0.8]

EXAMPLES = (
    Example("AsymmetricLaplace", law.AsymmetricLaplace, {"loc": 0.7, "scale": 1.3, "asymmetry": 1.6}),
    Example("Bernoulli", law.Bernoulli, {"probs": 0.3}),
    Example("Bernoulli(logits)", lambda logits: law.Bernoulli(logits=logits), {"logits": -2.0}),
    Example("Beta", law.Beta, {"concentration1": 0.7, "concentration0": 2.4}),
    Example("Binomial", lambda probs: law.Binomial(7, probs), {"probs": 0.3}),
    Example("Categorical", lambda logits: law.Categorical(logits=logits), {"logits": _VECTOR}),
    Example("Cauchy", law.Cauchy, {"loc": 0.7, "scale": 1.3}),
    Example("Chained", _chained, {"loc": [0.5], "scale": [1.3], "slope": -0.6}),
    Example("Chi2", law.Chi2, {"df": 4.5}),
    Example("ContinuousBernoulli", law.ContinuousBernoulli, {"probs": 0.3}),
    Example("ContinuousBernoulli(1/2)", law.ContinuousBernoulli, {"probs": 0.5}),
    Example("Dirichlet", law.Dirichlet, {"concentration": [0.7, 2.4, 1.1]}),
    Example(
        "DiscretizedLogistic",
        lambda loc, scale: law.DiscretizedLogistic(loc, scale, levels=16),
        {"loc": 0.35, "scale": 0.15},
    ),
    Example(
        "ExpRelaxedCategorical",
        lambda temperature, logits: law.ExpRelaxedCategorical(temperature, logits=logits),
        {"temperature": 0.7, "logits": _VECTOR},
    ),
    Example("Exponential", law.Exponential, {"rate": 1.7}),
    Example("FisherSnedecor", law.FisherSnedecor, {"df1": 3.5, "df2": 7.0}),
    Example("Gamma", law.Gamma, {"concentration": 0.7, "rate": 1.7}),
    Example("GeneralizedNormal", law.GeneralizedNormal, {"loc": 0.7, "scale": 1.3, "power": 1.6}),
    Example("GeneralizedPareto", law.GeneralizedPareto, {"loc": 0.7, "scale": 1.3, "concentration": 0.2}),
    Example("GeneralizedPareto(0)", law.GeneralizedPareto, {"loc": 0.7, "scale": 1.3, "concentration": 0.0}),
    Example("Geometric", law.Geometric, {"probs": 0.3}),
    Example("GridCategorical", law.GridCategorical, {"logits": _VECTOR}),
    Example("Gumbel", law.Gumbel, {"loc": 0.7, "scale": 1.3}),
    Example("HalfCauchy", law.HalfCauchy, {"scale": 1.3}),
    Example("HalfNormal", law.HalfNormal, {"scale": 1.3}),
    Example("HypersphericalUniform", lambda: law.HypersphericalUniform(3), {}),
    Example(
        "Independent",
        lambda loc, scale: law.Independent(law.Normal(loc, scale), 1),
        {"loc": _VECTOR, "scale": [1.3, 0.2, 2.0]},
    ),
    Example("InverseGamma", law.InverseGamma, {"concentration": 2.7, "rate": 1.7}),
    Example("InverseGaussian", law.InverseGaussian, {"loc": 0.7, "concentration": 1.7}),
    Example("InverseWishart", law.InverseWishart, {"df": 7.5, "scale_tril": _TRIL}),
    Example("Kumaraswamy", law.Kumaraswamy, {"concentration1": 0.7, "concentration0": 2.4}),
    Example("LKJCholesky", lambda concentration: law.LKJCholesky(3, concentration), {"concentration": 1.6}),
    Example("Laplace", law.Laplace, {"loc": 0.7, "scale": 1.3}),
    Example("LogGamma", law.LogGamma, {"concentration": 0.01, "rate": 1.7}),
    Example("LogNormal", law.LogNormal, {"loc": 0.7, "scale": 0.5}),
    Example("Logistic", law.Logistic, {"loc": 0.7, "scale": 1.3}),
    Example("LogisticNormal", law.LogisticNormal, {"loc": _VECTOR, "scale": [1.3, 0.2, 2.0]}),
    Example(
        "LogitRelaxedBernoulli",
        lambda temperature, logits: law.LogitRelaxedBernoulli(temperature, logits=logits),
        {"temperature": 0.7, "logits": 0.4},
    ),
    Example("LogitNormal", law.LogitNormal, {"loc": 0.7, "scale": 1.3}),
    Example(
        "LowRankMultivariateNormal",
        law.LowRankMultivariateNormal,
        {"loc": _VECTOR, "cov_factor": [[0.7], [-0.4], [0.2]], "cov_diag": [0.3, 0.5, 1.1]},
    ),
    Example(
        "MatrixNormal",
        law.MatrixNormal,
        {
            "loc": [[0.5, -1.0, 0.2], [0.1, 0.0, 2.0]],
            "scale_tril_row": [[0.9, 0.0], [0.4, 0.7]],
            "scale_tril_column": _TRIL,
        },
    ),
    Example("MixtureSameFamily", _mixture, {"logits": _VECTOR, "loc": [-0.5, 0.7, 2.0], "scale": [0.6, 1.3, 0.9]}),
    Example("MultivariateNormal", _multivariate_normal, {"loc": _VECTOR, "scale_tril": _TRIL}),
    Example("MultivariateStudentT", law.MultivariateStudentT, {"df": 4.5, "loc": _VECTOR, "scale_tril": _TRIL}),
    Example("NegativeBinomial", law.NegativeBinomial, {"total_count": 3.5, "probs": 0.4}),
    Example("Normal", law.Normal, {"loc": 0.7, "scale": 1.3}),
    Example("OneHotCategorical", lambda logits: law.OneHotCategorical(logits=logits), {"logits": _VECTOR}),
    Example(
        "OneHotCategoricalStraightThrough",
        lambda logits: law.OneHotCategoricalStraightThrough(logits=logits),
        {"logits": _VECTOR},
    ),
    Example("Pareto", law.Pareto, {"scale": 1.3, "alpha": 2.4}),
    Example("Poisson", law.Poisson, {"rate": 3.7}),
    Example("PowerSpherical", law.PowerSpherical, {"loc": _DIRECTION, "concentration": 3.7}),
    Example("ProjectedNormal", law.ProjectedNormal, {"loc": _VECTOR}),
    Example(
        "RelaxedBernoulli",
        lambda temperature, logits: law.RelaxedBernoulli(temperature, logits=logits),
        {"temperature": 0.7, "logits": 0.4},
    ),
    Example(
        "RelaxedBernoulliStraightThrough",
        lambda temperature, logits: law.RelaxedBernoulliStraightThrough(temperature, logits=logits),
        {"temperature": 0.7, "logits": 0.4},
    ),
    Example(
        "RelaxedOneHotCategorical",
        lambda temperature, logits: law.RelaxedOneHotCategorical(temperature, logits=logits),
        {"temperature": 0.7, "logits": _VECTOR},
    ),
    Example(
        "RelaxedOneHotCategoricalStraightThrough",
        lambda temperature, logits: law.RelaxedOneHotCategoricalStraightThrough(temperature, logits=logits),
        {"temperature": 0.7, "logits": _VECTOR},
    ),
    Example("Stable", law.Stable, {"stability": 1.6, "skew": 0.4, "loc": 0.7, "scale": 1.3}),
    Example("StudentT", law.StudentT, {"df": 4.5, "loc": 0.7, "scale": 1.3}),
    Example("Transformed", _transformed, {"loc": 0.3, "scale": 0.7, "stretch": 1.4}),
    Example(
        "Truncated",
        lambda loc, scale, low, high: law.Truncated(law.Logistic(loc, scale), low, high),
        {"loc": 0.7, "scale": 1.3, "low": -0.5, "high": 4.0},
    ),
    Example("TruncatedNormal", law.TruncatedNormal, {"loc": 0.7, "scale": 1.3, "low": 1.2, "high": 4.0}),
    Example("Uniform", law.Uniform, {"low": -0.7, "high": 1.3}),
    Example("VonMises", law.VonMises, {"loc": 0.7, "concentration": 1.7}),
    Example("VonMisesFisher", law.VonMisesFisher, {"loc": _DIRECTION, "concentration": 3.7}),
    Example("Weibull", law.Weibull, {"scale": 1.3, "concentration": 2.4}),
    Example("Wishart", _wishart, {"df": 4.5, "scale_tril": _TRIL}),
    Example(
        "ZeroInflated",
        lambda rate, logits: law.ZeroInflated(law.Poisson(rate), logits),
        {"rate": 3.7, "logits": -0.6},
    ),
)
