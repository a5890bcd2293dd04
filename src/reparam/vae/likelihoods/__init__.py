"""Families for ``p(x|z)``: what the decoder's outputs mean, and how far off a decoded value may be.

Each family starts at the training data: ``start_at`` sets its offsets so that a decoder that says nothing (outputs 0)
already gives every pixel or column its own mean and spread.

Shapes: outputs ``[B, num_outputs(C), ...]`` for examples ``[C, ...]``; laws have batch shape ``[B]`` and the event
shape of one example.
"""

from reparam.vae.likelihoods.counts import CountFamily as CountFamily
from reparam.vae.likelihoods.counts import LogCounts as LogCounts
from reparam.vae.likelihoods.counts import NegativeBinomial as NegativeBinomial
from reparam.vae.likelihoods.counts import Poisson as Poisson
from reparam.vae.likelihoods.counts import ZeroInflatedNegativeBinomial as ZeroInflatedNegativeBinomial
from reparam.vae.likelihoods.counts import ZeroInflatedPoisson as ZeroInflatedPoisson
from reparam.vae.likelihoods.levels import Categorical as Categorical
from reparam.vae.likelihoods.levels import DiscretizedLogistic as DiscretizedLogistic
from reparam.vae.likelihoods.levels import DiscretizedLogisticMixture as DiscretizedLogisticMixture
from reparam.vae.likelihoods.real import Gaussian as Gaussian
from reparam.vae.likelihoods.real import Laplace as Laplace
from reparam.vae.likelihoods.real import RealFamily as RealFamily
from reparam.vae.likelihoods.real import StudentT as StudentT
from reparam.vae.likelihoods.unit import Bernoulli as Bernoulli
from reparam.vae.likelihoods.unit import ContinuousBernoulli as ContinuousBernoulli
