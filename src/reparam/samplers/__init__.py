"""Drawing where no formula leads from noise to the draw: inverse CDF, rejection, Markov chains, annealing."""

from reparam.samplers.annealing import annealed_bound as annealed_bound
from reparam.samplers.diagnostics import bulk_effective_sample_size as bulk_effective_sample_size
from reparam.samplers.diagnostics import effective_sample_size as effective_sample_size
from reparam.samplers.diagnostics import r_hat as r_hat
from reparam.samplers.diagnostics import standard_error as standard_error
from reparam.samplers.diagnostics import tail_effective_sample_size as tail_effective_sample_size
from reparam.samplers.gibbs import Gibbs as Gibbs
from reparam.samplers.inverse import InverseCdf as InverseCdf
from reparam.samplers.kernels import Info as Info
from reparam.samplers.kernels import Kernel as Kernel
from reparam.samplers.kernels import State as State
from reparam.samplers.markov import Hmc as Hmc
from reparam.samplers.markov import Mala as Mala
from reparam.samplers.markov import RandomWalk as RandomWalk
from reparam.samplers.marsaglia_tsang import MarsagliaTsang as MarsagliaTsang
from reparam.samplers.rejection import RejectionDraws as RejectionDraws
from reparam.samplers.rejection import rejection_sample as rejection_sample
from reparam.samplers.reparameterized_rejection import AcceptReject as AcceptReject
from reparam.samplers.reparameterized_rejection import RejectionReparameterized as RejectionReparameterized
from reparam.samplers.running import Adapted as Adapted
from reparam.samplers.running import Chains as Chains
from reparam.samplers.running import adapt as adapt
from reparam.samplers.running import run as run
from reparam.samplers.unadjusted import UnadjustedHmc as UnadjustedHmc
from reparam.samplers.unadjusted import UnadjustedLangevin as UnadjustedLangevin
from reparam.samplers.wood import Wood as Wood

__all__ = [
    "AcceptReject",
    "Adapted",
    "Chains",
    "Gibbs",
    "Hmc",
    "Info",
    "InverseCdf",
    "Kernel",
    "Mala",
    "MarsagliaTsang",
    "RandomWalk",
    "RejectionDraws",
    "RejectionReparameterized",
    "State",
    "UnadjustedHmc",
    "UnadjustedLangevin",
    "Wood",
    "adapt",
    "annealed_bound",
    "bulk_effective_sample_size",
    "effective_sample_size",
    "r_hat",
    "rejection_sample",
    "run",
    "standard_error",
    "tail_effective_sample_size",
]
