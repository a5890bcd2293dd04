"""The laws of ``reparam.distributions`` as Pyro wants them: import this instead of ``pyro.distributions as dist``.

Each law here is the one of the same name with Pyro's own mixin added, so that ``pyro.sample``, plates,
``to_event``, ``mask`` and ``expand_by`` work, and ``isinstance`` still finds our law and torch's. Needs ``pyro-ppl``.

Example:
    >>> import pyro
    >>> import reparam.pyro as dist
    >>> z = pyro.sample("z", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
    >>> z.shape
    torch.Size([3])
"""

import inspect
from functools import cache
from typing import Any

from reparam import distributions

try:
    from pyro.distributions.torch_distribution import TorchDistributionMixin
except ImportError as error:
    raise ImportError("reparam.pyro needs Pyro: pip install pyro-ppl") from error


def __getattr__(name: str) -> Any:
    law = getattr(distributions, name) if name in distributions.__all__ else None
    if law is None or inspect.isabstract(law):
        raise AttributeError(f"module 'reparam.pyro' has no law '{name}'; reparam.distributions lists them")
    return _for_pyro(law)


@cache
def _for_pyro(law: type) -> type:
    return type(law)(law.__name__, (law, TorchDistributionMixin), {"__module__": __name__, "__doc__": law.__doc__})


def __dir__() -> list[str]:
    return [name for name in distributions.__all__ if not inspect.isabstract(getattr(distributions, name))]
