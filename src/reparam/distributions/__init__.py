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
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
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

__all__ = [
    "AsymmetricLaplace",
    "Bernoulli",
    "Cauchy",
    "DiscretizedLogistic",
    "Exponential",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Implicit",
    "Independent",
    "InverseCdf",
    "Laplace",
    "Law",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "Normal",
    "Pathwise",
    "Reparameterized",
    "Uniform",
    "Unreparameterized",
]
