"""Special functions whose derivatives are right in every argument."""

from reparam.special.exponential_integral import scaled_exponential_integral as scaled_exponential_integral
from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp
from reparam.special.normal import log_ndtr as log_ndtr
from reparam.special.normal import mills as mills
from reparam.special.normal import mills_deficit as mills_deficit
from reparam.special.normal import mills_drop as mills_drop
from reparam.special.removable import exprel as exprel
from reparam.special.removable import log1prel as log1prel

__all__ = [
    "exprel",
    "log1mexp",
    "log1prel",
    "log_diff_exp",
    "log_ndtr",
    "mills",
    "mills_deficit",
    "mills_drop",
    "scaled_exponential_integral",
]
