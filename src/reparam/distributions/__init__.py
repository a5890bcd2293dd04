"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Implicit as Implicit
from reparam.distributions.base import Independent as Independent
from reparam.distributions.base import InverseCdf as InverseCdf
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Reparameterized as Reparameterized
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.gamma import Chi2 as Chi2
from reparam.distributions.gamma import Gamma as Gamma
from reparam.distributions.gamma import InverseGamma as InverseGamma
from reparam.distributions.gamma import LogGamma as LogGamma
from reparam.distributions.lkj import LKJCholesky as LKJCholesky
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal
from reparam.distributions.logistic_normal import LogisticNormal as LogisticNormal
from reparam.distributions.matrix_normal import MatrixNormal as MatrixNormal
from reparam.distributions.multivariate import LowRankMultivariateNormal as LowRankMultivariateNormal
from reparam.distributions.multivariate import MultivariateNormal as MultivariateNormal
from reparam.distributions.multivariate_student import MultivariateStudentT as MultivariateStudentT
from reparam.distributions.wishart import InverseWishart as InverseWishart
from reparam.distributions.wishart import Wishart as Wishart
from reparam.distributions.mixture import MixtureSameFamily as MixtureSameFamily

__all__ = [
    "Bernoulli",
    "Chi2",
    "DiscretizedLogistic",
    "Gamma",
    "Implicit",
    "Independent",
    "InverseCdf",
    "InverseGamma",
    "InverseWishart",
    "LKJCholesky",
    "Law",
    "LogGamma",
    "Logistic",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "MatrixNormal",
    "MultivariateNormal",
    "MultivariateStudentT",
    "MixtureSameFamily",
    "Normal",
    "Pathwise",
    "Reparameterized",
    "Unreparameterized",
    "Wishart",
]
