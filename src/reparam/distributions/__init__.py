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
from reparam.distributions.hyperspherical_uniform import HypersphericalUniform as HypersphericalUniform
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal
from reparam.distributions.projected_normal import ProjectedNormal as ProjectedNormal
from reparam.distributions.von_mises import VonMises as VonMises
from reparam.distributions.von_mises_fisher import VonMisesFisher as VonMisesFisher

__all__ = [
    "Bernoulli",
    "DiscretizedLogistic",
    "HypersphericalUniform",
    "Implicit",
    "Independent",
    "InverseCdf",
    "Law",
    "Logistic",
    "Normal",
    "Pathwise",
    "ProjectedNormal",
    "Reparameterized",
    "Unreparameterized",
    "VonMises",
    "VonMisesFisher",
]
