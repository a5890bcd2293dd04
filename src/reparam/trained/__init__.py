"""A trained model in the user's own units: load, encode, reconstruct, sample, vary, evaluate, report."""

from reparam.trained.loading import load as load
from reparam.trained.model import Encoding as Encoding
from reparam.trained.model import TrainedVAE as TrainedVAE
