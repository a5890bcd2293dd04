"""Special functions whose derivatives are right in every argument."""

from reparam.special.digamma import log_minus_digamma as log_minus_digamma
from reparam.special.gamma import log_gamma_density as log_gamma_density
from reparam.special.gamma import log_gamma_tails as log_gamma_tails
from reparam.special.gamma import log_gamma_velocity as log_gamma_velocity
from reparam.special.gamma import log_gammainc as log_gammainc
from reparam.special.gamma import log_gammaincc as log_gammaincc
from reparam.special.gamma_quantile import log_gamma_quantile as log_gamma_quantile
from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp

__all__ = [
    "log1mexp",
    "log_diff_exp",
    "log_gamma_density",
    "log_gamma_quantile",
    "log_gamma_tails",
    "log_gamma_velocity",
    "log_gammainc",
    "log_gammaincc",
    "log_minus_digamma",
]
