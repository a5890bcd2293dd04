"""Special functions whose derivatives are right in every argument."""

from reparam.special.beta import beta_excess_velocities as beta_excess_velocities
from reparam.special.beta import beta_log_density as beta_log_density
from reparam.special.beta import beta_quantile as beta_quantile
from reparam.special.beta import beta_velocities as beta_velocities
from reparam.special.beta import log_betainc as log_betainc
from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp

__all__ = [
    "beta_excess_velocities",
    "beta_log_density",
    "beta_quantile",
    "beta_velocities",
    "log1mexp",
    "log_betainc",
    "log_diff_exp",
]
