"""Families of independent dimensions that are not Normal: positive values, shares, angles."""

import torch
from torch import Tensor, nn

from reparam.distributions import Beta, Dirichlet, Gamma, Independent, VonMises
from reparam.vae.limits import soft_bound

__all__ = ["BetaFamily", "CosineAndSine", "DirichletFamily", "GammaFamily", "VonMisesFamily"]


class GammaFamily(nn.Module):
    """Gamma laws: positive latents, of mean m and concentration a, ``rate = a / m``.

    ``log m`` is softly bounded to (-8, 8), ``log a`` likewise. Outputs of 0 give Gamma(1, 1) laws.

    Shapes:
        outputs: ``[B, 2·D]``: raw log-mean, raw log-concentration; the law has event shape ``[D]``.

    Example:
        >>> GammaFamily()(torch.zeros(4, 6)).mean[0]
        tensor([1., 1., 1.])
    """

    def num_outputs(self, num_values: int) -> int:
        """Mean and concentration of each value."""
        return 2 * num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        raw_log_mean, raw_log_concentration = outputs.chunk(2, dim=1)
        log_concentration = soft_bound(raw_log_concentration, -8.0, 8.0)
        log_rate = log_concentration - soft_bound(raw_log_mean, -8.0, 8.0)
        return Independent(Gamma(log_concentration.exp(), log_rate.exp(), validate_args=False), 1, validate_args=False)


class BetaFamily(nn.Module):
    """Beta laws: latents between 0 and 1, of mean m and total concentration t, ``Beta(m·t, (1 - m)·t)``.

    The log odds of m are softly bounded to (-6, 6), ``log (t/2)`` to (-8, 8). Outputs of 0 give uniform laws.

    Shapes:
        outputs: ``[B, 2·D]``: raw log odds of the mean, raw log-total; the law has event shape ``[D]``.

    Example:
        >>> BetaFamily()(torch.zeros(4, 6)).mean[0]
        tensor([0.5000, 0.5000, 0.5000])
    """

    def num_outputs(self, num_values: int) -> int:
        """Mean and total concentration of each value."""
        return 2 * num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        raw_odds, raw_log_total = outputs.chunk(2, dim=1)
        odds, total = soft_bound(raw_odds, -6.0, 6.0), 2 * soft_bound(raw_log_total, -8.0, 8.0).exp()
        law = Beta(total * torch.sigmoid(odds), total * torch.sigmoid(-odds), validate_args=False)
        return Independent(law, 1, validate_args=False)


class DirichletFamily(nn.Module):
    """Dirichlet laws: ``D + 1`` shares that sum to 1, of mean m and total concentration t, ``Dirichlet(m·t)``.

    ``m = softmax(a)``, a softly bounded to (-6, 6); ``log t`` softly bounded to ±8 around ``log(D + 1)``. Outputs of
    0 give the uniform law on the simplex.

    Shapes:
        outputs: ``[B, D + 2]``: raw log-shares, raw log-total; the law has event shape ``[D + 1]``.

    Example:
        >>> DirichletFamily()(torch.zeros(4, 5)).mean[0]
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def num_outputs(self, num_values: int) -> int:
        """Each share, one more than degrees of freedom, and the total concentration."""
        return num_values + 2

    def forward(self, outputs: Tensor) -> Dirichlet:
        """The law with these parameters."""
        raw_shares, raw_log_total = outputs.tensor_split([-1], dim=1)
        total = raw_shares.shape[1] * soft_bound(raw_log_total, -8.0, 8.0).exp()
        return Dirichlet(total * torch.softmax(soft_bound(raw_shares, -6.0, 6.0), 1), validate_args=False)


class VonMisesFamily(nn.Module):
    """Von Mises laws: latents that are angles, each of mean direction μ and concentration κ.

    μ is the angle of the point ``(1 + a, b)`` that the network gives. ``log κ`` is softly bounded to ±10 around
    ``log 0.1``: outputs of 0 are within 0.003 nats of the uniform law each. :class:`CosineAndSine` is what a decoder
    should be shown, to which -π and π are the same.

    Shapes:
        outputs: ``[B, 3·D]``: a, b, raw log-concentration; the law has event shape ``[D]``, in radians.

    Example:
        >>> VonMisesFamily()(torch.zeros(4, 6)).mean[0]
        tensor([0., 0.])
    """

    def num_outputs(self, num_values: int) -> int:
        """Two coordinates of the direction and the concentration of each value."""
        return 3 * num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        cosine, sine, raw_log_concentration = outputs.chunk(3, dim=1)
        cosine = cosine + 1
        # At the origin the angle would turn infinitely fast.
        known = torch.maximum(cosine.abs(), sine.abs()) > torch.finfo(outputs.dtype).eps
        loc = torch.atan2(torch.where(known, sine, 0.0), torch.where(known, cosine, 1.0))
        concentration = soft_bound(raw_log_concentration, -10.0, 10.0).exp() / 10
        return Independent(VonMises(loc, concentration, validate_args=False), 1, validate_args=False)


class CosineAndSine(nn.Module):
    """What a network is shown of angles: their cosines, then their sines, ``[B, D]`` to ``[B, 2·D]``.

    Example:
        >>> CosineAndSine()(torch.tensor([[0.0, torch.pi / 2]])).round(decimals=4).abs()
        tensor([[1., 0., 0., 1.]])
    """

    def forward(self, angles: Tensor) -> Tensor:
        """Points on the circle."""
        return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
