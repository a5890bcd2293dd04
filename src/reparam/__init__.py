"""reparam: gradients through randomness that can be trusted, and variational autoencoders on your own data.

The public names, on one screen. Each loads what it needs when it is first used, so importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from reparam import (
        checking,
        comparison,
        data,
        distributions,
        errors,
        estimators,
        evaluation,
        noise,
        report,
        samplers,
        special,
        training,
        vae,
    )
    from reparam.checking import check_rsample
    from reparam.comparison import compare
    from reparam.estimators import expectation
    from reparam.pipeline import fit, resume
    from reparam.reparameterize import attach, implicit, inverse_cdf, location_scale
    from reparam.trained import TrainedVAE, load
    from reparam.training.settings import Settings
    from reparam.vae import Conditional

__all__ = [
    "Conditional",
    "Settings",
    "TrainedVAE",
    "__version__",
    "attach",
    "check_rsample",
    "checking",
    "compare",
    "comparison",
    "data",
    "distributions",
    "errors",
    "estimators",
    "evaluation",
    "expectation",
    "fit",
    "implicit",
    "inverse_cdf",
    "load",
    "location_scale",
    "noise",
    "report",
    "resume",
    "samplers",
    "special",
    "training",
    "vae",
]

_HOMES = {
    "Conditional": "reparam.vae",
    "Settings": "reparam.training.settings",
    "TrainedVAE": "reparam.trained",
    "check_rsample": "reparam.checking",
    "compare": "reparam.comparison",
    "expectation": "reparam.estimators",
    "fit": "reparam.pipeline",
    "attach": "reparam.reparameterize",
    "implicit": "reparam.reparameterize",
    "inverse_cdf": "reparam.reparameterize",
    "load": "reparam.trained",
    "location_scale": "reparam.reparameterize",
    "resume": "reparam.pipeline",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"reparam.{name}")
    raise AttributeError(f"module 'reparam' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
