"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Implicit as Implicit
from reparam.distributions.base import Independent as Independent
from reparam.distributions.base import InverseCdf as InverseCdf
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Reparameterized as Reparameterized
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.bounded import LogitNormal as LogitNormal
from reparam.distributions.bounded import Uniform as Uniform
from reparam.distributions.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.extremes import GeneralizedPareto as GeneralizedPareto
from reparam.distributions.extremes import Pareto as Pareto
from reparam.distributions.extremes import Weibull as Weibull
from reparam.distributions.inverse_gaussian import InverseGaussian as InverseGaussian
from reparam.distributions.kumaraswamy import Kumaraswamy as Kumaraswamy
from reparam.distributions.laplace import AsymmetricLaplace as AsymmetricLaplace
from reparam.distributions.laplace import Laplace as Laplace
from reparam.distributions.location_scale import Cauchy as Cauchy
from reparam.distributions.location_scale import Gumbel as Gumbel
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal
from reparam.distributions.positive import Exponential as Exponential
from reparam.distributions.positive import HalfCauchy as HalfCauchy
from reparam.distributions.positive import HalfNormal as HalfNormal
from reparam.distributions.positive import LogNormal as LogNormal
from reparam.distributions.stable import Stable as Stable

__all__ = [
    "AsymmetricLaplace",
    "Bernoulli",
    "Cauchy",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Exponential",
    "GeneralizedPareto",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Implicit",
    "Independent",
    "InverseCdf",
    "InverseGaussian",
    "Kumaraswamy",
    "Laplace",
    "Law",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "Normal",
    "Pareto",
    "Pathwise",
    "Reparameterized",
    "Stable",
    "Uniform",
    "Unreparameterized",
    "Weibull",
]
