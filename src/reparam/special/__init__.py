"""Special functions whose derivatives are right in every argument."""

from reparam.special.log_space import log1mexp as log1mexp
from reparam.special.log_space import log_diff_exp as log_diff_exp

__all__ = ["log1mexp", "log_diff_exp"]
