"""Families for ``q(z|x)``, and the few numbers that stand for a posterior."""

from reparam.vae.posteriors.normal import DiagonalNormal as DiagonalNormal
from reparam.vae.posteriors.normal import soft_bound as soft_bound
from reparam.vae.posteriors.summary import central_value as central_value
from reparam.vae.posteriors.summary import moments as moments
