"""One batch over several processes: each computes its part, and sees all of it where a layer mixes pictures.

Every process has the whole batch. A network that was given to `divide` computes its own part of the rows and gathers
what the others made of theirs, so what calls it, losses and penalties too, is as in one process. Batch norms and
minibatch deviations inside see the rows of all. Gradients are the means over processes, in which those of the own rows
count `count` times: so what is computed by every process alike and what is divided can be mixed, to any order of
derivatives (gradient penalties). A batch that does not divide evenly is computed whole by each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves, tree_map


@dataclass
class _State:
    """`dividing` while a step is computed by several, `inside` the network that computes its part right now."""

    dividing: bool = False
    inside: nn.Module | None = None
    random: Tensor | None = None  # the state of torch's generator to go on from behind it


_state = _State()


class _Own(torch.autograd.Function):
    """The rows of this process: (N, ...) -> (N / count, ...)."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor) -> Tensor:
        rows = len(whole) // dist.get_world_size()
        return whole[dist.get_rank() * rows :][:rows].clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        return whole_batch(slopes[0]) / dist.get_world_size()


class _Whole(torch.autograd.Function):
    """The rows of all processes, one after the other: (N / count, ...) -> (N, ...)."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        return own_rows(slopes[0]) * dist.get_world_size()


def own_rows(whole: Tensor) -> Tensor:
    """The part of this process, with its gradient. Every process has the same `whole`."""
    found: Tensor = _Own.apply(whole)  # type: ignore[no-untyped-call]
    return found


def whole_batch(own: Tensor) -> Tensor:
    """What all processes have together, with its gradient."""
    found: Tensor = _Whole.apply(own)  # type: ignore[no-untyped-call]
    return found


def batch_size(rows: Tensor) -> int:
    """How many rows the batch has of which these are a part, or all."""
    return len(rows) * (dist.get_world_size() if _state.inside is not None else 1)


def all_rows(x: Tensor) -> Tensor:
    """The rows of all processes, where `x` are those of one, for statistics of the batch."""
    return x if _state.inside is None else whole_batch(x)


def for_rows(statistic: Tensor, x: Tensor) -> Tensor:
    """A statistic (C,) of `all_rows` to use on the rows `x` (N, ...): (C,), or the same for each row (N, C)."""
    return statistic if _state.inside is None else own_rows(statistic.expand(batch_size(x), -1))


def over_the_batch(layer: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator of a function of a batch (N, ...) -> (N, ...) whose rows depend on one another."""

    @functools.wraps(layer)
    def whole(x: Tensor, *given: Any, **named: Any) -> Tensor:
        if _state.inside is None:
            return layer(x, *given, **named)
        return own_rows(layer(whole_batch(x), *given, **named))

    return whole


def divide(nets: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
    """Prepare networks and their optimisers; nothing changes outside of `dividing`."""
    for net in nets:
        net.register_forward_pre_hook(_enter, with_kwargs=True)
        net.register_forward_hook(_leave, with_kwargs=True)
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.register_forward_pre_hook(_gather)
                module.register_forward_hook(_take)
    for optimizer in optimizers:
        optimizer.register_step_pre_hook(_average_slopes)


@contextmanager
def dividing(nets: Sequence[nn.Module]) -> Iterator[None]:
    """Within it divided networks compute in parts. Behind it their buffers are the means over the processes."""
    _state.dividing = True
    try:
        yield
    finally:
        _state.dividing, _state.inside = False, None
    with torch.no_grad():
        _average([b for net in nets for b in net.buffers() if b.is_floating_point() and b.numel()])


def _enter(net: nn.Module, args: Any, kwargs: Any) -> Any:
    if not _state.dividing or _state.inside is not None:
        return None
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    rows = {len(x) if x.ndim else 0 for x in tensors}
    if len(rows) != 1 or min(rows) == 0 or min(rows) % dist.get_world_size():
        return None
    args, kwargs = tree_map(lambda x: own_rows(x) if isinstance(x, Tensor) else x, (args, kwargs))
    seed = int(torch.randint(2**62, (1,)))  # the same in every process
    _state.inside, _state.random = net, torch.get_rng_state()
    torch.manual_seed(seed + dist.get_rank())  # dropout and noise of its own for each part
    return args, kwargs


def _leave(net: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
    if _state.inside is not net:
        return None
    assert _state.random is not None
    torch.set_rng_state(_state.random)
    _state.inside = None
    return tree_map(lambda x: whole_batch(x) if isinstance(x, Tensor) else x, output)


def _gather(module: nn.Module, args: Any) -> Any:
    return (whole_batch(args[0]), *args[1:]) if _state.inside is not None and module.training else None


def _take(module: nn.Module, args: Any, output: Tensor) -> Any:
    return own_rows(output) if _state.inside is not None and module.training else None


def _average_slopes(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if _state.dividing:
        _average([p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None])


def _average(tensors: Sequence[Tensor]) -> None:
    """Replace each by its mean over the processes, in one message."""
    if not tensors:
        return
    flat = torch.cat([x.detach().reshape(-1).float() for x in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for x, part in zip(tensors, torch.split(flat, [x.numel() for x in tensors]), strict=True):
        x.copy_(part.view(x.shape))
