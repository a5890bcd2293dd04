"""Laws of the latent variable before any data is seen."""

from reparam.vae.priors.mixture import MixturePrior as MixturePrior
from reparam.vae.priors.mixture import VampPrior as VampPrior
from reparam.vae.priors.standard import FixedPrior as FixedPrior
from reparam.vae.priors.standard import StandardNormal as StandardNormal
from reparam.vae.priors.standard import even_classes as even_classes
from reparam.vae.priors.standard import fair_coins as fair_coins
from reparam.vae.priors.standard import uniform_angles as uniform_angles
from reparam.vae.priors.standard import uniform_direction as uniform_direction
from reparam.vae.priors.standard import uniform_interval as uniform_interval
from reparam.vae.priors.standard import uniform_simplex as uniform_simplex
from reparam.vae.priors.standard import unit_gamma as unit_gamma
from reparam.vae.priors.two_level import TwoLevelPrior as TwoLevelPrior
