"""The idea of this package, and the only place where it stands.

We want ∂/∂θ E[f(y)], where y is drawn from a law p(y; θ). A draw is a number; it does not say how it would
have moved had θ been a little different, so the chain rule stops there.

**The way through.** Draw the randomness from a law with no parameters, and let the parameters act on it:
``y = g(ε, θ)``. Then E[f(y)] = E[f(g(ε, θ))], θ no longer stands in the law that the expectation is over, and
for well-behaved f the derivative may move inside: ``∂/∂θ E[f(y)] = E[f'(y) · ∂g(ε, θ)/∂θ]``. One draw of ε
gives an unbiased estimate, and automatic differentiation computes it. Three ways to have a g:

1. *Location and scale*: ``y = μ + σ·ε``. Then ∂y/∂μ = 1 and ∂y/∂σ = ε (:func:`location_scale`). In several
   dimensions the scale is a matrix, ``y = μ + L·ε``, ∂y_i/∂L_ij = ε_j (:func:`affine`).
2. *Inverse CDF*: ``y = F⁻¹(u; θ)``, u uniform on (0, 1) (:func:`inverse_cdf`).
3. *Implicitly*, where g cannot be written down: whatever g is, F(y; θ) = u stays fixed when θ moves.
   Differentiate that, ∂F/∂θ + p(y)·∂y/∂θ = 0, and solve: ``∂y/∂θ = -(∂F/∂θ) / p(y)``. A plain draw from any
   sampler and the derivative of its CDF are enough (:func:`implicit`). Where that quotient is known as a function
   v(y, θ), the velocity of y when θ moves, derivatives of any order follow (:func:`attach`).

None of this works for a draw that jumps, such as a coin: y does not move with θ but changes value, and the
gradient needs another estimator (the score function, for one). Sources: Kingma & Welling, arXiv:1312.6114 (1,
2); Figurnov, Mohamed & Mnih, arXiv:1805.08498, and Jankowiak & Obermeyer, arXiv:1806.01851 (3).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import TransformType
from torch._functorch.pyfunctorch import retrieve_all_functorch_interpreters

from reparam.errors import ParameterError

__all__ = ["affine", "attach", "forward_over_forward", "implicit", "inverse_cdf", "location_scale", "matvec", "product"]

Velocity = Tensor | Callable[[], Tensor] | None


def location_scale(noise: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """``y = μ + σ·ε``: broadcast, computed in the widest of the dtypes, returned in the dtype of ``loc``.

    Example:
        >>> location_scale(torch.tensor([-1.0, 2.0]), torch.tensor(3.0), torch.tensor(0.5))
        tensor([2.5000, 4.0000])
    """
    return (loc + scale * noise).to(loc.dtype)


def affine(noise: Tensor, loc: Tensor, matrix: Tensor) -> Tensor:
    """``y = μ + L·ε``, vectors and a matrix: broadcast, computed in the widest dtype, returned in that of ``loc``.

    Args:
        noise: ε, shape ``[*sample_shape, *batch_shape, k]``.
        loc: μ, shape ``[*batch_shape, d]``.
        matrix: L, shape ``[*batch_shape, d, k]`` or, the same for the whole batch, ``[d, k]``.

    Example:
        >>> affine(torch.tensor([-1.0, 2.0]), torch.tensor([3.0, 0.0]), torch.tensor([[0.5, 0.0], [1.0, 2.0]]))
        tensor([2.5000, 3.0000])
    """
    return (loc + matvec(matrix, noise)).to(loc.dtype)


def matvec(matrix: Tensor, vectors: Tensor) -> Tensor:
    """``A·x`` for vectors ``[*sample_shape, *batch_shape, k]`` and matrices ``[*batch_shape, d, k]``.

    All vectors of one matrix go into one matrix product, which is many times faster than one product for each.

    Example:
        >>> matvec(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 2.],
                [7., 4.]])
    """
    dtype = torch.promote_types(matrix.dtype, vectors.dtype)
    matrix, vectors = matrix.to(dtype), vectors.to(dtype)
    if matrix.dim() == 2:
        return product(vectors, matrix.mT)
    num_sample_dims = vectors.dim() - (matrix.dim() - 1)
    if num_sample_dims <= 0:  # One vector each: the backward pass of a batched matrix product is the slower one.
        return (matrix * vectors.unsqueeze(-2)).sum(-1)
    columns = vectors.flatten(0, num_sample_dims - 1).movedim(0, -1)
    products = product(matrix, columns)
    return products.movedim(-1, 0).contiguous().reshape(vectors.shape[:num_sample_dims] + products.shape[:-1])


def product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right`` in their own dtype, also under autocast, whose half precision no density survives.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     product(torch.ones(1, 1), torch.full((1, 1), 1.001))
        tensor([[1.0010]])
    """
    device = left.device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return left @ right
    with torch.autocast(device, enabled=False):
        return left @ right


def inverse_cdf(uniform: Tensor, icdf: Callable[[Tensor], Tensor]) -> Tensor:
    """``y = F⁻¹(u)``, 0 < u < 1: differentiable in whatever parameters ``icdf`` holds.

    Example:
        >>> inverse_cdf(torch.tensor([0.5, 0.9]), torch.logit)
        tensor([0.0000, 2.1972])
    """
    return icdf(uniform)


def attach(sample: Tensor, velocity: Callable[..., tuple[Velocity, ...]], *parameters: Tensor) -> Tensor:
    """The value of ``sample``, moving with the parameters: ``∂y/∂θ_i = v_i(y, θ)``; elementwise, any order.

    Reverse and forward mode, ``vmap`` and repeated differentiation work as far as they do for ``velocity``; forward
    mode over forward mode is refused.

    Args:
        sample: draws y, any shape; its own gradient, if any, is dropped.
        velocity: a function (not a closure over parameters) of ``(y, *parameters)``, all of the shape of ``sample``,
            that returns one velocity for each parameter, built from differentiable operations; for one that is seldom
            wanted, a function without arguments that makes it; None for what only goes along, without gradient.
        parameters: what y moves with; each broadcasts to the shape of ``sample``. Dimensions in front of that shape
            (the components of a mixture, say) are many parameters at once: they and their velocities arrive with them.

    Example:
        >>> rate = torch.tensor(2.0, requires_grad=True)  # an exponential law: v = -y / rate
        >>> y = attach(torch.tensor(0.5), lambda y, rate: (-y / rate,), rate)
        >>> (first,) = torch.autograd.grad(y, rate, create_graph=True)
        >>> first.item(), torch.autograd.grad(first, rate)[0].item()
        (-0.25, 0.25)
    """
    fixed = sample.detach()
    wanted = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in parameters)
    if not wanted and not _forward_mode():
        return fixed  # a compiler cannot trace a custom function in vain, nor within the backward pass of another
    expanded = (parameter.expand(parameter.shape[: -fixed.dim() or None] + fixed.shape) for parameter in parameters)
    # A compiler cannot trace a custom forward mode, and does not need it.
    moving = _Moving if torch.compiler.is_compiling() else _MovingForward
    return moving.apply(velocity, fixed, *expanded)  # type: ignore[no-untyped-call, no-any-return]


class _Moving(torch.autograd.Function):
    generate_vmap_rule = True
    forward = staticmethod(lambda velocity, sample, *parameters: sample.clone())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.velocity = inputs[0]
        ctx.save_for_backward(output, *inputs[2:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # The saved output is y with its history, so a second backward pass sees the velocity change along y too.
        speeds = zip(ctx.velocity(*ctx.saved_tensors), ctx.needs_input_grad[2:], strict=True)
        return None, None, *(grad * _made(speed) if wanted else None for speed, wanted in speeds)


class _MovingForward(_Moving):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Moving.setup_context(ctx, inputs, output)
        ctx.save_for_forward(output, *inputs[2:])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        # torch switches forward mode off in here, so that an outer one would silently see a constant velocity.
        if forward_over_forward():
            raise NotImplementedError(
                "no forward mode over forward mode through an implicit gradient; take one of both in reverse mode, "
                "torch.func.jacfwd(torch.func.jacrev(f)), as torch.func.hessian does"
            )
        speeds, shape = ctx.velocity(*ctx.saved_tensors), ctx.saved_tensors[0].shape
        terms = [
            _made(speed) * tangent for speed, tangent in zip(speeds, tangents[2:], strict=True) if tangent is not None
        ]
        return torch.stack([term.sum_to_size(shape) for term in terms]).sum(0).to(ctx.saved_tensors[0].dtype)


def _made(speed: Velocity) -> Tensor:
    assert speed is not None, "what only goes along has no gradient"
    return speed if isinstance(speed, Tensor) else speed()


def _forward_mode() -> bool:
    """Whether a tensor that requires no gradient may still move: in forward mode, or under a transformation."""
    if torch.compiler.is_compiling():
        return False
    return torch.autograd.forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None


def forward_over_forward() -> bool:
    """Whether forward mode runs within forward mode, which :func:`attach` refuses."""
    if torch.compiler.is_compiling():
        return False
    return [level.key() for level in retrieve_all_functorch_interpreters()].count(TransformType.Jvp) > 1


def implicit(sample: Tensor, cdf: Callable[[Tensor], Tensor], density: Callable[[Tensor], Tensor]) -> Tensor:
    """The value of ``sample`` with the gradient ``∂y/∂θ = -(∂F/∂θ) / p(y)``; elementwise, first order.

    Args:
        sample: draws y, any shape; its own gradient, if any, is dropped.
        cdf: F(·; θ), differentiable in the parameters it holds; it need not be in y.
        density: p(·; θ) > 0 at the draws; where it underflows to 0 the gradient is not finite.

    Raises:
        ParameterError: ``cdf`` or ``density`` changes the shape of ``sample``.
        NotImplementedError: in a second backward pass; the second derivative is refused rather than wrong.

    Example:
        >>> rate = torch.tensor(2.0, requires_grad=True)
        >>> tail = lambda y: torch.exp(-rate * y)  # an exponential law: dy/drate = -y / rate
        >>> y = implicit(torch.tensor(0.5), lambda y: 1 - tail(y), lambda y: rate * tail(y))
        >>> y.backward(); rate.grad
        tensor(-0.2500)
    """
    fixed = sample.detach()
    level, slope = cdf(fixed), density(fixed).detach()
    if not level.shape == slope.shape == fixed.shape:
        shapes = f"{tuple(level.shape)} and {tuple(slope.shape)}, expected {tuple(fixed.shape)}"
        raise ParameterError(f"cdf and density must give one value for each draw; got shapes {shapes}")
    return _Attach.apply(fixed, level, slope, "sample")  # type: ignore[no-untyped-call, no-any-return]


class _Attach(torch.autograd.Function):
    generate_vmap_rule = True
    forward = staticmethod(lambda value, level, slope, what: value.clone())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:3])
        ctx.what = inputs[3]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.what == "gradient":
            raise NotImplementedError("no second derivative of an implicit gradient; use a law that has from_noise")
        level, slope = ctx.saved_tensors  # level goes along so that a second backward pass always comes by here
        grad_level = _Attach.apply(-grad / slope, level, slope, "gradient")  # type: ignore[no-untyped-call]
        return None, grad_level, None, None
