"""Endless training batches from shards on disk or in a bucket, with any number of worker processes.

Which rows stand in which batch follows from the seed, the epoch and the number of lanes (processes times workers), so a
loader made at the `Position` of another one gives what that one would have given next.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from tools.retrieval.data.batches import Batch, Input, make_batch, stack, unstack
from tools.retrieval.data.index import Index
from tools.retrieval.data.order import Closeness, Hardness, Mixing, epoch_batches, hardness_at
from tools.retrieval.data.rows import Row, RowReader
from tools.retrieval.data.select import Reference
from tools.retrieval.torch_parts import torch

Ints = NDArray[np.int64]

_AHEAD = 2
"""Batches that each worker makes before they are asked for."""


class Position(BaseModel):
    """Position of a loader: the next batch that it yields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int = 0
    batch: int = 0
    """Number of this process's batch within the epoch."""


@dataclass(frozen=True)
class Plan:
    """Assigns the rows of an index to batches."""

    index: Index
    mixing: Mixing
    schedule: tuple[tuple[int, Hardness], ...] = ()
    """From which epoch on negatives are hard, and how."""
    references: tuple[Reference, ...] = ("aerial",)
    """Whose chips must not overlap where negatives are near."""
    alike: NDArray[np.float32] | None = None
    """The model's vectors of all rows' texts, where there are any yet."""

    def digest(self) -> str:
        """Digest of the rows, their order and the parameters of batch composition."""
        return digest(self.index.ids.tolist(), vars(self.mixing), self.schedule, self.references, length=16)

    def epoch(self, epoch: int) -> list[list[Ints]]:
        """Compute the batches of an epoch, by lane.

        Raises:
            ConfigError: there are too few rows for one batch a lane.
        """
        groups, hardness = self.index.group, hardness_at(self.schedule, epoch)
        if hardness == "near":
            chips = self.index.chips(*self.references)
            places = chips.earth_centred()
            apart = float(chips.side_m.max()) * np.sqrt(2)
            lanes = epoch_batches(groups, epoch, self.mixing, Closeness(places, apart), places)
        elif hardness == "alike" and self.alike is not None:
            lanes = epoch_batches(groups, epoch, self.mixing, Closeness(self.alike.astype(float)))
        else:
            lanes = epoch_batches(groups, epoch, self.mixing)
        if not lanes[0]:
            found = f"{self.mixing.batch} rows for each of {self.mixing.lanes} lanes, of {len(self.index):,} rows"
            raise ConfigError([Problem("train.batch", found, "a smaller batch, fewer workers, or a smaller window")])
        return lanes


class Stream(torch.utils.data.IterableDataset):  # type: ignore[misc]  # torch is an extra, and untyped here
    """Endless batches of one process, made by one worker or by one worker per lane."""

    def __init__(self, plan: Plan, wanted: Input, position: Position, rank: int, world: int, *, keep: bool) -> None:
        """`rank` is this process's number among `world`; each has as many lanes. `keep`: see `Loader`."""
        self._plan, self._wanted, self._position = plan, wanted, position
        self._kept: dict[int, Batch] | None = {} if keep else None
        self._rank, self._own = rank, plan.mixing.lanes // world

    def __iter__(self) -> Iterator[Batch]:
        info = torch.utils.data.get_worker_info()
        if info is None:
            return self._batches(range(self._own))
        # The first worker is asked first: it has the lane that the batch at the position is of.
        return self._batches([(info.id + self._position.batch) % self._own])

    def _batches(self, lanes: Sequence[int]) -> Iterator[Batch]:
        """Yield the batches of some of the process's lanes: batch i is number i // lanes of lane i % lanes."""
        epoch, start = self._position.epoch, self._position.batch
        reader = RowReader(self._plan.index, self._wanted.columns())
        while True:
            ordered = self._plan.epoch(epoch)[self._rank * self._own : (self._rank + 1) * self._own]
            # Of each lane what is at or after the start.
            left = {lane: ordered[lane][-(-(start - lane) // self._own) if start > lane else 0 :] for lane in lanes}
            rows = {lane: self._read(reader, batches) for lane, batches in left.items()}
            for number in range(start, self._own * len(ordered[0])):
                lane = number % self._own
                if lane in rows:
                    yield self._batch(*next(rows[lane]))
            epoch, start = epoch + 1, 0

    def _read(self, reader: RowReader, batches: Sequence[Ints]) -> Iterator[tuple[Ints, list[Row]]]:
        """Yield batches with those of their rows that must be read because they are not kept."""
        kept: Container[int] = self._kept if self._kept is not None else ()
        unread = [batch[[row not in kept for row in batch.tolist()]] for batch in batches]
        yield from zip(batches, reader.read(unread), strict=True)

    def _batch(self, rows: Ints, found: list[Row]) -> Batch:
        if self._kept is None:
            return make_batch(self._plan.index, rows, found, self._wanted)
        fresh = rows[[row not in self._kept for row in rows.tolist()]]
        if len(fresh):
            made = make_batch(self._plan.index, fresh, found, self._wanted)
            self._kept |= dict(zip(fresh.tolist(), unstack(made), strict=True))
        return stack([self._kept[row] for row in rows.tolist()])


class Loader:
    """Iterates over batches as torch tensors and tracks its position."""

    def __init__(
        self,
        plan: Plan,
        wanted: Input,
        position: Position,
        *,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        keep: bool = False,
    ) -> None:
        """Nothing is read before the first batch is requested.

        Args:
            plan: which rows make which batches. It has one lane a process and worker.
            wanted: what goes into a batch.
            position: where to start.
            rank: this process's number.
            world: how many processes train together.
            workers: worker processes of this process; 0: it reads itself.
            keep: keep what was made of each row in memory, so that only the first epoch reads and decodes.
        """
        if plan.mixing.lanes != world * max(1, workers):
            raise ValueError(f"{plan.mixing.lanes} lanes for {world} processes with {workers} workers each")
        self.position = position
        """Position of the next batch."""
        self._plan, self._own = plan, max(1, workers)
        self._length = self._count()
        stream = Stream(plan, wanted, position, rank, world, keep=keep)
        options: dict[str, Any] = {"multiprocessing_context": "spawn", "prefetch_factor": _AHEAD} if workers else {}
        # A generator of its own: making a loader draws from it, and the training's must not depend on how often.
        options["generator"] = torch.Generator()
        loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=workers, **options)
        self._batches: Iterator[dict[str, Any]] = iter(loader)

    @property
    def epoch_length(self) -> int:
        """Number of batches that this process takes in the current epoch."""
        return self._length

    def __next__(self) -> dict[str, Any]:
        batch = next(self._batches)
        following = self.position.batch + 1
        if following < self._length:
            self.position = Position(epoch=self.position.epoch, batch=following)
        else:
            self.position = Position(epoch=self.position.epoch + 1)
            self._length = self._count()
        return batch

    def __iter__(self) -> "Loader":
        return self

    def _count(self) -> int:
        return self._own * len(self._plan.epoch(self.position.epoch)[0])
