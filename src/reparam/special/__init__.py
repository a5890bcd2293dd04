"""Special functions whose derivatives are right in every argument."""

from reparam.special.bessel import bessel_ratio as bessel_ratio
from reparam.special.bessel import bessel_ratio_complement as bessel_ratio_complement
from reparam.special.bessel import log_ive as log_ive
from reparam.special.bessel import log_normalized_iv as log_normalized_iv
from reparam.special.bessel import log_normalized_ive as log_normalized_ive
from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp

__all__ = [
    "bessel_ratio",
    "bessel_ratio_complement",
    "log1mexp",
    "log_diff_exp",
    "log_ive",
    "log_normalized_iv",
    "log_normalized_ive",
]
