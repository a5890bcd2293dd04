"""Families for ``p(x|z)``."""

from reparam.vae.likelihoods.basic import Bernoulli as Bernoulli
from reparam.vae.likelihoods.basic import DiscretizedLogistic as DiscretizedLogistic
from reparam.vae.likelihoods.basic import Gaussian as Gaussian
