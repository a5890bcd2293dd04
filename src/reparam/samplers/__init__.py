"""Drawing where no formula leads from noise to the draw: inverse CDF, rejection, Markov chains, annealing."""

from reparam.samplers.inverse import InverseCdf as InverseCdf
from reparam.samplers.marsaglia_tsang import MarsagliaTsang as MarsagliaTsang
from reparam.samplers.rejection import RejectionDraws as RejectionDraws
from reparam.samplers.rejection import rejection_sample as rejection_sample
from reparam.samplers.reparameterized_rejection import AcceptReject as AcceptReject
from reparam.samplers.reparameterized_rejection import RejectionReparameterized as RejectionReparameterized
from reparam.samplers.wood import Wood as Wood

__all__ = [
    "AcceptReject",
    "InverseCdf",
    "MarsagliaTsang",
    "RejectionDraws",
    "RejectionReparameterized",
    "Wood",
    "rejection_sample",
]
