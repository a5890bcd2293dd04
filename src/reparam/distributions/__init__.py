"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Implicit as Implicit
from reparam.distributions.base import Independent as Independent
from reparam.distributions.base import InverseCdf as InverseCdf
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Reparameterized as Reparameterized
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.dirichlet import Dirichlet as Dirichlet
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.gamma import Chi2 as Chi2
from reparam.distributions.gamma import Gamma as Gamma
from reparam.distributions.gamma import InverseGamma as InverseGamma
from reparam.distributions.gamma import LogGamma as LogGamma
from reparam.distributions.generalized_normal import GeneralizedNormal as GeneralizedNormal
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal

__all__ = [
    "Bernoulli",
    "Chi2",
    "Dirichlet",
    "DiscretizedLogistic",
    "Gamma",
    "GeneralizedNormal",
    "Implicit",
    "Independent",
    "InverseCdf",
    "InverseGamma",
    "Law",
    "LogGamma",
    "Logistic",
    "Normal",
    "Pathwise",
    "Reparameterized",
    "Unreparameterized",
]
