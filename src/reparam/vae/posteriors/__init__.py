"""Families for ``q(z|x)``, and the few numbers that stand for a posterior."""

from reparam.vae.posteriors.discrete import BernoulliFamily as BernoulliFamily
from reparam.vae.posteriors.discrete import CategoricalFamily as CategoricalFamily
from reparam.vae.posteriors.factorized import BetaFamily as BetaFamily
from reparam.vae.posteriors.factorized import CosineAndSine as CosineAndSine
from reparam.vae.posteriors.factorized import DirichletFamily as DirichletFamily
from reparam.vae.posteriors.factorized import GammaFamily as GammaFamily
from reparam.vae.posteriors.factorized import VonMisesFamily as VonMisesFamily
from reparam.vae.posteriors.normal import DiagonalNormal as DiagonalNormal
from reparam.vae.posteriors.normal import FullNormal as FullNormal
from reparam.vae.posteriors.normal import LowRankNormal as LowRankNormal
from reparam.vae.posteriors.sphere import PowerSphericalFamily as PowerSphericalFamily
from reparam.vae.posteriors.sphere import VonMisesFisherFamily as VonMisesFisherFamily
from reparam.vae.posteriors.summary import central_value as central_value
from reparam.vae.posteriors.summary import moments as moments
from reparam.vae.posteriors.two_level import FirstLevel as FirstLevel
from reparam.vae.posteriors.two_level import TwoLevelFamily as TwoLevelFamily
