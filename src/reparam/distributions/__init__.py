"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Implicit as Implicit
from reparam.distributions.base import InverseCdf as InverseCdf
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Reparameterized as Reparameterized
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.beta import Beta as Beta
from reparam.distributions.beta import FisherSnedecor as FisherSnedecor
from reparam.distributions.bounded import LogitNormal as LogitNormal
from reparam.distributions.bounded import Uniform as Uniform
from reparam.distributions.categorical import Categorical as Categorical
from reparam.distributions.categorical import OneHotCategorical as OneHotCategorical
from reparam.distributions.chained import Chained as Chained
from reparam.distributions.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from reparam.distributions.counts import Binomial as Binomial
from reparam.distributions.counts import Geometric as Geometric
from reparam.distributions.counts import NegativeBinomial as NegativeBinomial
from reparam.distributions.counts import Poisson as Poisson
from reparam.distributions.dirichlet import Dirichlet as Dirichlet
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.discretized import GridCategorical as GridCategorical
from reparam.distributions.drawing import rsample_with_log_prob as rsample_with_log_prob
from reparam.distributions.extremes import GeneralizedPareto as GeneralizedPareto
from reparam.distributions.extremes import Pareto as Pareto
from reparam.distributions.extremes import Weibull as Weibull
from reparam.distributions.gamma import Chi2 as Chi2
from reparam.distributions.gamma import Gamma as Gamma
from reparam.distributions.gamma import InverseGamma as InverseGamma
from reparam.distributions.gamma import LogGamma as LogGamma
from reparam.distributions.generalized_normal import GeneralizedNormal as GeneralizedNormal
from reparam.distributions.hyperspherical_uniform import HypersphericalUniform as HypersphericalUniform
from reparam.distributions.independent import Independent as Independent
from reparam.distributions.inverse_gaussian import InverseGaussian as InverseGaussian
from reparam.distributions.kumaraswamy import Kumaraswamy as Kumaraswamy
from reparam.distributions.laplace import AsymmetricLaplace as AsymmetricLaplace
from reparam.distributions.laplace import Laplace as Laplace
from reparam.distributions.lkj import LKJCholesky as LKJCholesky
from reparam.distributions.location_scale import Cauchy as Cauchy
from reparam.distributions.location_scale import Gumbel as Gumbel
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal
from reparam.distributions.logistic_normal import LogisticNormal as LogisticNormal
from reparam.distributions.matrix_normal import MatrixNormal as MatrixNormal
from reparam.distributions.mixture import MixtureSameFamily as MixtureSameFamily
from reparam.distributions.multivariate import LowRankMultivariateNormal as LowRankMultivariateNormal
from reparam.distributions.multivariate import MultivariateNormal as MultivariateNormal
from reparam.distributions.multivariate_student import MultivariateStudentT as MultivariateStudentT
from reparam.distributions.positive import Exponential as Exponential
from reparam.distributions.positive import HalfCauchy as HalfCauchy
from reparam.distributions.positive import HalfNormal as HalfNormal
from reparam.distributions.positive import LogNormal as LogNormal
from reparam.distributions.power_spherical import PowerSpherical as PowerSpherical
from reparam.distributions.projected_normal import ProjectedNormal as ProjectedNormal
from reparam.distributions.relaxed import ExpRelaxedCategorical as ExpRelaxedCategorical
from reparam.distributions.relaxed import LogitRelaxedBernoulli as LogitRelaxedBernoulli
from reparam.distributions.relaxed import RelaxedBernoulli as RelaxedBernoulli
from reparam.distributions.relaxed import RelaxedOneHotCategorical as RelaxedOneHotCategorical
from reparam.distributions.stable import Stable as Stable
from reparam.distributions.straight_through import OneHotCategoricalStraightThrough as OneHotCategoricalStraightThrough
from reparam.distributions.straight_through import RelaxedBernoulliStraightThrough as RelaxedBernoulliStraightThrough
from reparam.distributions.straight_through import (
    RelaxedOneHotCategoricalStraightThrough as RelaxedOneHotCategoricalStraightThrough,
)
from reparam.distributions.student_t import StudentT as StudentT
from reparam.distributions.transformed import Transformed as Transformed
from reparam.distributions.truncated import Truncated as Truncated
from reparam.distributions.truncated import TruncatedNormal as TruncatedNormal
from reparam.distributions.von_mises import VonMises as VonMises
from reparam.distributions.von_mises_fisher import VonMisesFisher as VonMisesFisher
from reparam.distributions.wishart import InverseWishart as InverseWishart
from reparam.distributions.wishart import Wishart as Wishart
from reparam.distributions.zero_inflated import ZeroInflated as ZeroInflated

__all__ = [
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chained",
    "Chi2",
    "ContinuousBernoulli",
    "Dirichlet",
    "DiscretizedLogistic",
    "ExpRelaxedCategorical",
    "Exponential",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedNormal",
    "GeneralizedPareto",
    "Geometric",
    "GridCategorical",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "HypersphericalUniform",
    "Implicit",
    "Independent",
    "InverseCdf",
    "InverseGamma",
    "InverseGaussian",
    "InverseWishart",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "Law",
    "LogGamma",
    "LogNormal",
    "Logistic",
    "LogisticNormal",
    "LogitNormal",
    "LogitRelaxedBernoulli",
    "LowRankMultivariateNormal",
    "MatrixNormal",
    "MixtureSameFamily",
    "MultivariateNormal",
    "MultivariateStudentT",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Pathwise",
    "Poisson",
    "PowerSpherical",
    "ProjectedNormal",
    "RelaxedBernoulli",
    "RelaxedBernoulliStraightThrough",
    "RelaxedOneHotCategorical",
    "RelaxedOneHotCategoricalStraightThrough",
    "Reparameterized",
    "Stable",
    "StudentT",
    "Transformed",
    "Truncated",
    "TruncatedNormal",
    "Uniform",
    "Unreparameterized",
    "VonMises",
    "VonMisesFisher",
    "Weibull",
    "Wishart",
    "ZeroInflated",
]
