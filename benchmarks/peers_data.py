"""Our split of ml-1m, written as the peers read it, so that all train on the same ratings.

    write_files(folder, data)
    ml-1m/ml-1m.inter   every rating, RecBole's format; its time is its place in the history
    train.npz           user_id, movie_id: the training pairs
    questions.npz       user_id (Q,), movie_id (Q, 100), the movie to be found first;
                        seen_row, seen_movie_id: what each of them watched before it

The questions are those of validation for every third person: enough to tell .60 from .62, and a
third of the time that asking everybody would take.
"""

from pathlib import Path

import numpy as np

from datamodules.datamodule import InteractionDataModule
from datamodules.loaders import EvalLoader
from datamodules.splits import training_ratings

EVERY = 3


def asked_cases(data: InteractionDataModule, every: int = EVERY, *, drawn: bool) -> EvalLoader:
    """Validation batches of every so many people, beside drawn movies or among all."""
    queries = data.base_split.valid
    return EvalLoader(
        queries.with_candidates(data.valid_candidates) if drawn else queries,
        data.dataset.scale,
        history_length=data.config.history_length,
        world_size=every,
    )


def write_files(folder: Path, data: InteractionDataModule) -> None:
    split, movie_id = data.base_split, data.dataset.movies.movie_id
    everything = split.all_histories
    place = np.arange(len(everything.item)) - np.repeat(everything.indptr[:-1], everything.length)
    user_N = np.repeat(everything.user_id, everything.length)
    rows = np.stack([user_N, movie_id[everything.item], place], axis=1)
    (folder / "ml-1m").mkdir()
    header = "user_id:token\titem_id:token\ttimestamp:float"
    path = folder / "ml-1m" / "ml-1m.inter"
    np.savetxt(path, rows, fmt="%d", delimiter="\t", header=header, comments="")
    user, item, _ = training_ratings(split)
    np.savez(
        folder / "train.npz", user_id=split.train_histories.user_id[user], movie_id=movie_id[item]
    )
    write_questions(folder / "questions.npz", data)


def write_questions(path: Path, data: InteractionDataModule) -> None:
    movie_id, user_id = data.dataset.movies.movie_id, data.base_split.train_histories.user_id
    batches = list(asked_cases(data, drawn=True))
    queries = {name: [batch[name].numpy() for batch in batches] for name in batches[0]}
    movie_QC = [
        np.concatenate([target[:, None], drawn], 1)
        for target, drawn in zip(queries["target_B"], queries["candidate_BC"], strict=True)
    ]
    # Rows count within a batch; in the file, within all questions.
    first = np.cumsum([0, *(len(users) for users in queries["user_B"])])
    seen_row = [row + start for row, start in zip(queries["seen_row_N"], first, strict=False)]
    np.savez(
        path,
        user_id=user_id[np.concatenate(queries["user_B"])],
        movie_id=movie_id[np.concatenate(movie_QC)],
        seen_row=np.concatenate(seen_row),
        seen_movie_id=movie_id[np.concatenate(queries["seen_item_N"])],
    )
