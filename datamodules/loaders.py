"""Ready tensors for training and for ranking. No per-item DataLoader: collating 8,192 single
examples costs 12 ms a batch, cutting them from arrays that are there costs 0.3 ms.

A batch is a dict of tensors (the one thing `datamodules` and `models` agree on):

    windows   item_BL, star_BL int64: entries of a history, right-padded with 0
              target_BL int64: the movie that came after each entry, -1 where there is none
              positive_row_N, positive_item_N int64: the training movies of the person of each row
    pairs     user_P, item_KP int64: what each of them watched in row 0, drawn movies below it
    cases     user_B, item_BL, star_BL, length_B; seen_row_N, seen_item_N: what the person has seen
              by then; target_B: the movie to be found, or found_row_N, found_item_N where there
              are several; candidate_BC or among_C where a protocol ranks few movies

Each source gives the same batches for the same (seed, epoch), whatever ran before, and the same
number of them every epoch: both are needed for a stopped run to resume exactly.

Shapes: B rows of a batch, L entries, N entries of a sparse list, C candidates; of pairs: K
movies, the watched one first, of P persons.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from datamodules.negative_sampler import Positives
from datamodules.splits.leave_one_out import Questions, Split
from marquee.core.errors import InputError
from marquee.core.memmap import blocks, mapped

Batch = dict[str, Tensor]


def spans(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and flat position of every element of the slices [start, start + length)."""
    row = np.repeat(np.arange(len(starts)), lengths)
    first = np.cumsum(lengths) - lengths
    return row, np.arange(len(row)) - np.repeat(first - starts, lengths)


def training_ratings(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User and item rows, int64, and stars, float32, of all that training may read, (N,) each."""
    histories = split.histories
    return histories.user, histories.item.astype(np.int64), histories.stars


def star_rows(stars: np.ndarray, scale: tuple[float, ...]) -> np.ndarray:
    """1 + the row of each rating on the scale, uint8; 0 is kept for "no stars given"."""
    row_N = mapped(len(stars), np.uint8)
    for rows in blocks(len(stars)):
        row_N[rows] = 1 + np.searchsorted(np.asarray(scale, np.float32), stars[rows])
    return row_N


def padded(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, fill: int) -> Tensor:
    """The slices as rows of one int64 array, right-padded."""
    row, position = spans(starts, lengths)
    out = np.full((len(starts), int(lengths.max())), fill, np.int64)
    out[row, position - starts[row]] = values[position]
    return torch.from_numpy(out)


def rows_of(item: np.ndarray, position: np.ndarray) -> Tensor:
    """The movies at these places, int64."""
    return torch.from_numpy(item[position].astype(np.int64))


Rows = TypeVar("Rows", np.ndarray, Tensor)


class Resumable(ABC):
    """An epoch's batches, the same for the same (seed, epoch); a stopped one goes on where it was.

    rank, world_size: of several processes each takes its share of every batch, so that the number
    of steps, and what a step learns from, is the same for any number of them."""

    def __init__(self, seed: int, epoch: Callable[[], int], rank: int, world_size: int) -> None:
        self.seed, self.epoch, self.rank, self.world_size = seed, epoch, rank, world_size
        self.begun = self.resume = (-1, 0)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """All batches of an epoch."""

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        skipped = self.resume[1] if self.resume[0] == epoch else 0
        # Made and thrown away: their draws come before those of the batches to follow.
        for number, batch in enumerate(self.batches(epoch)):
            if number >= skipped:
                self.begun = epoch, number + 1
                yield batch

    def share(self, rows: Rows) -> Rows:
        """This rank's part of the rows of a batch; one of them where there are too few for all."""
        own = rows[self.rank :: self.world_size]
        return own if len(own) else rows[self.rank % len(rows)][None]

    def state_dict(self) -> dict[str, int]:
        """Lightning puts it into its checkpoints."""
        return {"epoch": self.begun[0], "given": self.begun[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.resume = state["epoch"], state["given"]


class SequenceWindows(Resumable):
    """Histories in windows of at most L entries with a target after each: one pass over a window
    trains L questions. Windows of similar length share a batch, so that little of it is padding;
    where a long history is cut moves from epoch to epoch.

    horizon: each target is drawn from the next so many entries. shuffled: every epoch reads each
    person's entries in a new random order, which leaves nothing to learn from their order."""

    def __init__(
        self,
        split: Split,
        star_N: np.ndarray,
        *,
        history_length: int,
        targets_per_batch: int,
        star_dropout: float,
        seed: int,
        epoch: Callable[[], int],
        horizon: int = 1,
        shuffled: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(seed, epoch, rank, world_size)
        self.split, self.shuffled = split, shuffled
        self.item_N, self.star_N = self.in_time = split.histories.item, star_N
        self.history_length, self.star_dropout = history_length, star_dropout
        self.horizon = horizon
        self.train_end = split.train_end
        self.num_targets = int(np.maximum(self.train_end - 1, 0).sum())
        if self.num_targets == 0:
            raise InputError("nobody has two training ratings, so nothing comes next; add ratings")
        # Two windows at least, or a batch might find no window that ends in its share of targets.
        per_batch = max(targets_per_batch, 2 * history_length)
        self.num_batches = max(1, round(self.num_targets / per_batch))

    def __len__(self) -> int:
        return self.num_batches

    def cut(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """User, first entry and number of targets of every window of this epoch."""
        targets = np.maximum(self.train_end - 1, 0)
        L = self.history_length
        # A long history starts with a piece of random length, then whole windows, then the rest.
        head = np.where(targets > L, rng.integers(1, L + 1, len(targets)), targets)
        pieces = np.where(targets > 0, 1 + -(-(targets - head) // L), 0)
        user, piece = spans(np.zeros_like(pieces), pieces)
        start = np.where(piece == 0, 0, head[user] + (piece - 1) * L)
        length = np.where(piece == 0, head[user], np.minimum(L, targets[user] - start))
        return user, start, length

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        if self.shuffled:
            self.shuffle(rng)
        user, start, length = self.cut(rng)
        order = np.argsort(length + rng.random(len(length)), kind="stable")
        middle = np.cumsum(length[order]) - length[order] / 2
        group = (middle * self.num_batches / self.num_targets).astype(np.int64)
        parts = np.split(order, np.searchsorted(group, np.arange(1, self.num_batches)))
        numbers = rng.permutation(self.num_batches)
        if self.rank:
            rng = np.random.default_rng([self.seed, epoch, self.rank])
        for number in numbers:
            rows = self.share(parts[number])
            yield self.batch(user[rows], start[rows], length[rows], rng)

    def shuffle(self, rng: np.random.Generator) -> None:
        """Puts each person's training entries into a new random order, stars with their movies."""
        self.item_N, self.star_N = (mapped(len(old), old.dtype) for old in self.in_time)
        for rows, user in self.split.histories.blocks():
            mixed = np.lexsort((rng.random(len(user)), user))
            for values, in_time in zip((self.item_N, self.star_N), self.in_time, strict=True):
                values[rows] = in_time[rows][mixed]

    def batch(
        self, user: np.ndarray, start: np.ndarray, length: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        histories = self.split.histories
        first = histories.indptr[user] + start
        star_BL = padded(self.star_N, first, length, 0)
        # A served history may carry no stars: some rows learn to do without.
        star_BL[torch.from_numpy(rng.random(len(user)) < self.star_dropout)] = 0
        row, position = spans(histories.indptr[user], self.train_end[user])
        return {
            "item_BL": padded(self.item_N, first, length, 0),
            "star_BL": star_BL,
            "target_BL": self.targets(user, first, length, rng),
            "positive_row_N": torch.from_numpy(row),
            "positive_item_N": rows_of(histories.item, position),
        }

    def targets(
        self, user: np.ndarray, first: np.ndarray, length: np.ndarray, rng: np.random.Generator
    ) -> Tensor:
        """For each entry one of the `horizon` that follow it, or of as many as there are."""
        if self.horizon == 1:
            return padded(self.item_N, first + 1, length, -1)
        row, position = spans(first, length)
        end = self.split.histories.indptr[user + 1]
        ahead = np.minimum(self.horizon, end[row] - 1 - position)
        target_BL = np.full((len(first), int(length.max())), -1, np.int64)
        drawn = position + 1 + (rng.random(len(row)) * ahead).astype(np.int64)
        target_BL[row, position - first[row]] = self.item_N[drawn]
        return torch.from_numpy(target_BL)


class Pairs(Resumable):
    """Every training pair once an epoch, each with `num_negatives` drawn movies that the person has
    not in *train*. Test pairs may be drawn: rejecting them too would tell the model which movies
    are held out (+13% ndcg@10 on ml-1m, measured, and all of it a leak)."""

    def __init__(
        self,
        split: Split,
        *,
        num_negatives: int,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(seed, epoch, rank, world_size)
        user, item, _ = training_ratings(split)
        self.user_N, self.item_N = torch.from_numpy(user), torch.from_numpy(item)
        self.num_items, self.num_negatives = split.num_items, num_negatives
        full = np.flatnonzero(split.train_end >= split.num_items)
        if len(full):
            raise InputError(
                f"user {split.histories.user_id[full[0]]} has all {split.num_items} movies in "
                "training, so there is none to draw against; leave that person out"
            )
        num_users = len(split.train_end)
        self.positives = Positives(self.user_N, self.item_N, num_users, split.num_items)
        self.positives_per_batch = max(1, batch_size // (1 + num_negatives))

    def __len__(self) -> int:
        return -(-len(self.user_N) // self.positives_per_batch)

    def negatives(self, user: Tensor, generator: torch.Generator) -> Tensor:
        """One movie for each entry of `user`, redrawn until it is not a training positive."""
        item = torch.randint(self.num_items, user.shape, generator=generator)
        wrong = self.positives.contain(user, item).nonzero().squeeze(1)
        while len(wrong):
            item[wrong] = torch.randint(self.num_items, wrong.shape, generator=generator)
            wrong = wrong[self.positives.contain(user[wrong], item[wrong])]
        return item

    def batches(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.user_N), generator=generator)
        if self.rank:
            generator.manual_seed((self.rank * 1_000_003 + self.seed) * 1_000_003 + epoch)
        for rows in map(self.share, order.split(self.positives_per_batch)):
            user_P = self.user_N[rows]
            drawn = self.negatives(user_P.repeat(self.num_negatives), generator)
            item = torch.cat([self.item_N[rows], drawn])
            yield {"user_P": user_P, "item_KP": item.view(-1, len(rows))}


class EvalLoader:
    """The questions of validation: a history, and the movie to be found, or with `several` all of
    them. candidates: (Q, C) movies beside each; else the questions say what is ranked."""

    def __init__(
        self,
        questions: Questions,
        scale: tuple[float, ...],
        *,
        history_length: int,
        several: bool = False,
        candidates: np.ndarray | None = None,
        batch_size: int = 256,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.questions, self.history_length = questions, history_length
        self.star_N = star_rows(questions.histories.stars, scale)
        self.several, self.candidates = several, candidates
        # Longest first: memory is largest at once, and neighbours share a length.
        longest = np.argsort(-(questions.given - questions.first))
        own = longest[rank::world_size]
        self.parts = np.array_split(own, max(1, -(-len(own) // batch_size)))

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.batch, self.parts)

    def batch(self, rows: np.ndarray) -> Batch:
        asked, item = self.questions, self.questions.histories.item
        start, given = asked.histories.indptr[asked.user[rows]], asked.given[rows]
        length = np.minimum(given - asked.first[rows], self.history_length)
        latest = start + given - length
        seen_row, seen = spans(start, given)
        batch = {
            "user_B": torch.from_numpy(asked.user[rows]),
            "item_BL": padded(item, latest, length, 0),
            "star_BL": padded(self.star_N, latest, length, 0),
            "length_B": torch.from_numpy(length),
            "seen_row_N": torch.from_numpy(seen_row),
            "seen_item_N": rows_of(item, seen),
        }
        if self.several:
            found_row, found = spans(start + given, asked.end[rows] - given)
            batch |= {
                "found_row_N": torch.from_numpy(found_row),
                "found_item_N": rows_of(item, found),
            }
        else:
            batch["target_B"] = rows_of(item, start + given)
        if self.candidates is not None:
            batch["candidate_BC"] = torch.from_numpy(self.candidates[rows])
        if asked.among is not None:
            batch["among_C"] = torch.from_numpy(asked.among)
        return batch
