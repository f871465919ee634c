"""Write our split of ml-1m in the formats of other libraries, so that all train on the same.

    write_files(folder, data)
    ml-1m/ml-1m.inter   every rating, RecBole's format; its time is its position in the history
    train.npz           user_id, movie_id: the training pairs
    queries.npz         user_id (B,), movie_id (B, 100), the target first;
                        seen_row, seen_movie_id: the movies that each user watched before it

The queries are those of validation for every third user: enough to tell .60 from .62, in a third of
the time of all users.
"""

from pathlib import Path

import numpy as np

from datamodules.datamodule import InteractionDataModule
from datamodules.loaders import EvalLoader
from datamodules.splits import training_ratings

EVERY = 3


def validation_batches(
    data: InteractionDataModule, every: int = EVERY, *, drawn: bool
) -> EvalLoader:
    """Return validation batches of every so many users.

    drawn: with drawn candidates, else with all items.
    """
    queries = data.base_split.valid
    return EvalLoader(
        queries.with_candidates(data.valid_candidates) if drawn else queries,
        data.dataset.scale,
        history_length=data.config.history_length,
        world_size=every,
    )


def write_files(folder: Path, data: InteractionDataModule) -> None:
    split, movie_id = data.base_split, data.dataset.movies.movie_id
    histories = split.all_histories
    start_N = np.repeat(histories.indptr[:-1], histories.length)
    position_N = np.arange(len(histories.item)) - start_N
    user_N = np.repeat(histories.user_id, histories.length)
    rows = np.stack([user_N, movie_id[histories.item], position_N], axis=1)
    (folder / "ml-1m").mkdir()
    header = "user_id:token\titem_id:token\ttimestamp:float"
    path = folder / "ml-1m" / "ml-1m.inter"
    np.savetxt(path, rows, fmt="%d", delimiter="\t", header=header, comments="")
    user, item, _ = training_ratings(split)
    np.savez(
        folder / "train.npz", user_id=split.train_histories.user_id[user], movie_id=movie_id[item]
    )
    write_queries(folder / "queries.npz", data)


def write_queries(path: Path, data: InteractionDataModule) -> None:
    movie_id, user_id = data.dataset.movies.movie_id, data.base_split.train_histories.user_id
    batches = list(validation_batches(data, drawn=True))
    queries = {name: [batch[name].numpy() for batch in batches] for name in batches[0]}
    item_BC = [
        np.concatenate([target[:, None], drawn], 1)
        for target, drawn in zip(queries["target_B"], queries["candidate_BC"], strict=True)
    ]
    # Rows count within a batch; in the file, within all queries.
    start = np.cumsum([0, *(len(users) for users in queries["user_B"])])
    seen_row = [row + offset for row, offset in zip(queries["seen_row_N"], start, strict=False)]
    np.savez(
        path,
        user_id=user_id[np.concatenate(queries["user_B"])],
        movie_id=movie_id[np.concatenate(item_BC)],
        seen_row=np.concatenate(seen_row),
        seen_movie_id=movie_id[np.concatenate(queries["seen_item_N"])],
    )
