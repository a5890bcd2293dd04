"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Implicit as Implicit
from reparam.distributions.base import Independent as Independent
from reparam.distributions.base import InverseCdf as InverseCdf
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Reparameterized as Reparameterized
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.beta import Beta as Beta
from reparam.distributions.beta import FisherSnedecor as FisherSnedecor
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal
from reparam.distributions.student_t import StudentT as StudentT

__all__ = [
    "Bernoulli",
    "Beta",
    "DiscretizedLogistic",
    "FisherSnedecor",
    "Implicit",
    "Independent",
    "InverseCdf",
    "Law",
    "Logistic",
    "Normal",
    "Pathwise",
    "Reparameterized",
    "StudentT",
    "Unreparameterized",
]
