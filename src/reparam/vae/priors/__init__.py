"""Laws of the latent variable before any data is seen."""

from reparam.vae.priors.standard import StandardNormal as StandardNormal
