"""Laws compatible with ``torch.distributions`` whose randomness stands apart from their parameters."""

from reparam.distributions.base import Independent as Independent
from reparam.distributions.base import Law as Law
from reparam.distributions.base import Pathwise as Pathwise
from reparam.distributions.base import Unreparameterized as Unreparameterized
from reparam.distributions.discrete import Bernoulli as Bernoulli
from reparam.distributions.discretized import DiscretizedLogistic as DiscretizedLogistic
from reparam.distributions.location_scale import Logistic as Logistic
from reparam.distributions.location_scale import Normal as Normal

__all__ = [
    "Bernoulli",
    "DiscretizedLogistic",
    "Independent",
    "Law",
    "Logistic",
    "Normal",
    "Pathwise",
    "Unreparameterized",
]
