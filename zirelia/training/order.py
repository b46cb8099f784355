"""Which pictures a step takes, and the randomness of a step.

    order = Order(sizes, own=range(20), batch=4, seed=1)
    order.pictures(17)            # [3, 11, 0, 7], all of one size

Everything follows from (seed, step), hence a resumed run takes the very steps of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

_PICTURES = 1 << 31
_HELD_OUT = 1 << 30


def draws(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The randomness of one step, for choices and for noise; the same on every machine."""
    numbers = np.random.default_rng([seed, step])
    return numbers, torch.Generator().manual_seed(int(numbers.integers(1 << 62)))


def pictures_of(step: int, *, batch: int, count: int, seed: int) -> list[int]:
    """The pictures of a step: the dataset in an order that is shuffled anew each time round."""
    chosen = []
    for position in range(step * batch, (step + 1) * batch):
        turn, place = divmod(position, count)
        chosen.append(int(np.random.default_rng([seed, _PICTURES, turn]).permutation(count)[place]))
    return chosen


def held_out(count: int, wanted: int, seed: int) -> tuple[int, ...]:
    """The pictures that a run validates on and never learns."""
    return tuple(sorted(int(n) for n in np.random.default_rng([seed, _HELD_OUT]).permutation(count)[:wanted]))


class Order:
    """The pictures of each step, all of one size: of one bucket.

    Args:
        sizes: of every picture. own: those that are learnt.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], own: Sequence[int], *, batch: int, seed: int) -> None:
        self._own, self._batch, self._seed = tuple(own), batch, seed
        self._buckets = [[n for n in own if sizes[n] == size] for size in sorted({sizes[n] for n in own})]

    def pictures(self, step: int) -> list[int]:
        """With several buckets a turn is every bucket in whole batches, in an order of their own; the last batch of a bucket
        is filled up from its beginning.
        """
        if len(self._buckets) == 1:
            places = pictures_of(step, batch=self._batch, count=len(self._own), seed=self._seed)
            return [self._own[place] for place in places]
        turn, place = divmod(step, sum(-(-len(bucket) // self._batch) for bucket in self._buckets))
        numbers = np.random.default_rng([self._seed, _PICTURES, turn])
        batches = [batch for bucket in self._buckets for batch in self._batches(bucket, numbers)]
        return batches[int(numbers.permutation(len(batches))[place])]

    def _batches(self, bucket: list[int], numbers: np.random.Generator) -> list[list[int]]:
        shuffled = [bucket[int(n)] for n in numbers.permutation(len(bucket))]
        starts = range(0, len(bucket), self._batch)
        return [[shuffled[n % len(bucket)] for n in range(start, start + self._batch)] for start in starts]
