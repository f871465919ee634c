"""Batches of tensors for training and validation, cut from arrays.

There is no DataLoader per example: collating 8,192 of them takes 12 ms, cutting a batch from arrays
.3. A batch is a dict of tensors, the one contract between `datamodules` and `models`:

    SequenceWindows  item_BL, star_BL int64: entries of a history, right-padded with 0
                     target_BL int64: the movie that came after each entry, -1 where there is none
                     positive_row_N, positive_item_N int64: training movies of each row's user
                     user_BX float32, features of each row's user, where the network reads them
    TrainingPairs    user_B, item_MB int64: one watched movie per user in row 0, drawn ones below
    EvalLoader       user_B, item_BL, star_BL, length_B, and EvalQueries.ranking_arrays: the pairs
                     that are not ranked, the targets, and the items of protocols that rank few

`star` is a rating bin: 1 + the row of the rating on the scale, 0 if there is no rating. Each
loader yields the same batches for the same (seed, epoch), whatever ran before, and the same number
of them every epoch: a stopped run needs both to resume exactly.
"""

from datamodules.loaders.batches import Batch, EvalLoader, rating_bins
from datamodules.loaders.sequence_windows import SequenceWindows
from datamodules.loaders.training_pairs import NegativeSampler, TrainingPairs

__all__ = [
    "Batch",
    "EvalLoader",
    "NegativeSampler",
    "SequenceWindows",
    "TrainingPairs",
    "rating_bins",
]
