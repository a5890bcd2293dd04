"""Special functions whose derivatives are right in every argument."""

from reparam.special.bessel import bessel_ratio as bessel_ratio
from reparam.special.bessel import bessel_ratio_complement as bessel_ratio_complement
from reparam.special.bessel import log_ive as log_ive
from reparam.special.bessel import log_normalized_iv as log_normalized_iv
from reparam.special.bessel import log_normalized_ive as log_normalized_ive
from reparam.special.beta import beta_excess_velocities as beta_excess_velocities
from reparam.special.beta import beta_log_density as beta_log_density
from reparam.special.beta import beta_quantile as beta_quantile
from reparam.special.beta import beta_velocities as beta_velocities
from reparam.special.beta import log_betainc as log_betainc
from reparam.special.digamma import log_minus_digamma as log_minus_digamma
from reparam.special.exponential_integral import scaled_exponential_integral as scaled_exponential_integral
from reparam.special.gamma import log_gamma_density as log_gamma_density
from reparam.special.gamma import log_gamma_tails as log_gamma_tails
from reparam.special.gamma import log_gamma_velocity as log_gamma_velocity
from reparam.special.gamma import log_gammainc as log_gammainc
from reparam.special.gamma import log_gammaincc as log_gammaincc
from reparam.special.gamma_quantile import log_gamma_quantile as log_gamma_quantile
from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp
from reparam.special.normal import log_ndtr as log_ndtr
from reparam.special.normal import mills as mills
from reparam.special.normal import mills_deficit as mills_deficit
from reparam.special.normal import mills_drop as mills_drop
from reparam.special.removable import exprel as exprel
from reparam.special.removable import log1prel as log1prel

__all__ = [
    "bessel_ratio",
    "bessel_ratio_complement",
    "beta_excess_velocities",
    "beta_log_density",
    "beta_quantile",
    "beta_velocities",
    "exprel",
    "log1mexp",
    "log1prel",
    "log_betainc",
    "log_diff_exp",
    "log_gamma_density",
    "log_gamma_quantile",
    "log_gamma_tails",
    "log_gamma_velocity",
    "log_gammainc",
    "log_gammaincc",
    "log_ive",
    "log_minus_digamma",
    "log_ndtr",
    "log_normalized_iv",
    "log_normalized_ive",
    "mills",
    "mills_deficit",
    "mills_drop",
    "scaled_exponential_integral",
]
