"""Settings that follow from a data set: its number of interactions, users and items.

    settings_from_data(load_dataset("mine"))      # {"data.targets_per_batch": 256, …}

The rules lie through the searched recipes of ml-100k, ml-latest-small and ml-1m (recipes/studies),
and scale by powers beyond them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories

BATCH_POWER = 0.55  # targets of a step over targets of an epoch: 2,048 of a million
BATCH_RANGE = (64, 8192)  # targets of a step
ITEMS_PER_TARGET = 16  # a step has at least a target for so many items
LARGE_BATCH = 2048  # from here on a step is exact enough for the rates of ml-1m
MANY_INTERACTIONS = 200_000  # enough for vectors of 128
EPOCHS, MIN_EPOCHS = 20, 4
FULL_EPOCHS = 5_000_000  # interactions up to which EPOCHS are trained; beyond, in proportion fewer
WARMUP_SHARE = 0.04  # of all steps
MAX_WARMUP = 1000
CAP_PER_MEAN = 1.8  # influence cap over the mean length of a history
FULL_SOFTMAX_ITEMS = 30_000  # beyond, a step draws its negatives
DRAWN_NEGATIVES = 4096
ANY_LATER_ITEM = 10_000  # horizon without an order: every other item of the history
FEW_SWEEPS_RATINGS = 5_000_000  # from here on the rating model makes a third of its sweeps


def settings_from_data(dataset: Dataset, chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a recipe's settings that follow from a data set, by dotted names.

    chosen: settings that the user has decided; others follow from these where they depend on them.
    """
    chosen, histories = chosen or {}, dataset.histories
    user_share = float(chosen.get("data.user_share") or 1)
    num_interactions = round(len(histories.item) * user_share)
    num_targets = int(np.maximum(histories.length - 1, 0).sum() * user_share)
    targets_per_batch = chosen.get("data.targets_per_batch") or _targets_per_batch(
        num_targets, dataset.num_items
    )
    max_epochs = chosen.get("trainer.max_epochs") or _max_epochs(num_interactions)
    steps = max_epochs * max(1, round(num_targets / targets_per_batch))
    return {
        **_protocol_settings(dataset),
        "data.targets_per_batch": targets_per_batch,
        "model.network.embedding_dim": 128 if num_interactions >= MANY_INTERACTIONS else 64,
        "model.network.history_length": _history_length(histories),
        "model.network.dropout": 0.2 if num_interactions >= 20 * MANY_INTERACTIONS else 0.3,
        "model.learning.lr": 0.0015 if targets_per_batch >= LARGE_BATCH else 0.0025,
        "model.learning.warmup_steps": int(np.clip(steps * WARMUP_SHARE, 1, MAX_WARMUP)),
        "model.learning.influence_cap": max(20, round(CAP_PER_MEAN * histories.length.mean())),
        "model.learning.num_negatives": (
            0 if dataset.num_items <= FULL_SOFTMAX_ITEMS else DRAWN_NEGATIVES
        ),
        "trainer.max_epochs": max_epochs,
        **_rating_model_settings(num_interactions),
    }


def _protocol_settings(dataset: Dataset) -> dict[str, Any]:
    """Choose `fixed` where test files are given, else `next`; without an order, `new-users`."""
    has_order = dataset.has_times or dataset.is_ordered
    protocol = "next" if has_order else "new-users"
    if dataset.histories.part is not None:
        protocol = "fixed"
    return {
        "protocols": [protocol],
        "data.protocol": protocol,
        "data.horizon": 1 if has_order else ANY_LATER_ITEM,
    }


def _rating_model_settings(num_interactions: int) -> dict[str, Any]:
    is_large = num_interactions >= FEW_SWEEPS_RATINGS
    return {"stars.burn_in": 10 if is_large else 30, "stars.every": 2 if is_large else 6}


def _targets_per_batch(num_targets: int, num_items: int) -> int:
    """Return a power of two that grows with the data, and more for many items.

    A step computes the vectors of all items, which costs more than few targets do.
    """
    targets = max(1, num_targets**BATCH_POWER, num_items / ITEMS_PER_TARGET)
    return int(np.clip(2 ** round(np.log2(targets)), *BATCH_RANGE))


def _max_epochs(num_interactions: int) -> int:
    share = min(1, FULL_EPOCHS / num_interactions)
    return max(MIN_EPOCHS, round(EPOCHS * share))


def _history_length(histories: UserHistories) -> int:
    """Return the length that holds 95% of the histories whole, in tens, 20 to 200."""
    longest = float(np.quantile(histories.length, 0.95))
    return int(np.clip(np.ceil(longest / 10) * 10, 20, 200))
