"""Write docs/laws.md from the laws themselves; a test fails when the page is stale.

python docs/make_laws.py
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from reparam import distributions
from reparam.checking.examples import EXAMPLES
from reparam.distributions import Implicit, InverseCdf, Law, Pathwise, Reparameterized

PAGE = Path(__file__).with_name("laws.md")

HEAD = """# The laws

Made from the code by `python docs/make_laws.py`; do not edit by hand. All are in `reparam.distributions`, and with
Pyro's mixin in `reparam.pyro`. Where torch has a law of the name, ours inherits it and takes the same arguments. The
docstring of each says what its parameters are, and where its limits lie.

*Drawn* says how: `map` from noise without parameters; `quantile` of uniform noise; `implicit`, by any sampler, and
moved with the parameters afterwards; `sample` only, as draws that jump have no pathwise gradient; a law made of other
laws as those are. *Noise* says whether draws can be made from given noise, so that `noise=`, quasi-Monte Carlo and
common random numbers work. A law with `biased` has a straight-through gradient, and says so.

| law | arguments | drawn | noise | cdf | icdf | mean | variance | entropy |
|---|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The content of docs/laws.md."""
    known: dict[str, Law] = {}
    for example in EXAMPLES:
        law = example.make(**example.tensors())
        known.setdefault(type(law).__name__, law)  # type: ignore[arg-type]
    named = (name for name in distributions.__all__ if not inspect.isabstract(getattr(distributions, name)))
    return HEAD + "".join(_row(known[name]) for name in sorted(named, key=str.lower))


def _row(law: Any) -> str:
    value = law.sample()
    level = torch.full(law.batch_shape + law.event_shape, 0.3, dtype=torch.float64)
    has = {
        "cdf": _works(lambda: law.cdf(value)),
        "icdf": _works(lambda: law.icdf(level)),
        "mean": _works(lambda: law.mean),
        "variance": _works(lambda: law.variance),
        "entropy": _works(lambda: law.entropy()),
    }
    arguments = [name for name in inspect.signature(type(law).__init__).parameters if name not in _NOT_SHOWN]
    noise = _works(lambda: law.noise()) if isinstance(law, (Reparameterized, distributions.Independent)) else False
    cells = [
        f"`{type(law).__name__}`",
        ", ".join(f"`{name}`" for name in arguments),
        _drawn(law),
        *("yes" if entry else "" for entry in (noise, *has.values())),
    ]
    return f"| {' | '.join(cells)} |\n"


_NOT_SHOWN = ("self", "validate_args")


def _drawn(law: Any) -> str:
    if isinstance(law, distributions.Independent | distributions.Transformed | distributions.Chained):
        return "as its base" if hasattr(law, "base_dist") else "as its parts"
    if not isinstance(law, Reparameterized):
        return "sample"
    kind = next(word for base, word in _KINDS if isinstance(law, base))
    return kind if law.unbiased else f"{kind}, biased"


_KINDS: tuple[tuple[type, str], ...] = ((InverseCdf, "quantile"), (Pathwise, "map"), (Implicit, "implicit"))


def _works(call: Callable[[], Any]) -> bool:
    try:
        call()
    except NotImplementedError:
        return False
    return True


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
