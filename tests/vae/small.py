"""Built-in models small enough for a test."""

from typing import Any

from reparam import vae


def small_plan(shape: tuple[int, ...], likelihood: str = "gaussian", **changes: Any) -> vae.Architecture:
    """Two latents, and networks of width 4 that fit the shape of an example, unless told otherwise."""
    usual = {"latent_dim": 2, "width": 4, "network": "convolutional" if len(shape) == 3 else "residual-mlp"}
    return vae.Architecture(event_shape=shape, likelihood=likelihood, **(usual | changes))


def small_vae(shape: tuple[int, ...], likelihood: str = "gaussian", **changes: Any) -> vae.VAE:
    """The model of :func:`small_plan`."""
    return vae.assemble(small_plan(shape, likelihood, **changes))
