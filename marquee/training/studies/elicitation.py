"""Whether `rate_next` learns a person sooner than other ways to ask: real people, never trained on.

    marquee rate-next --config recipes/ml-1m.new-users.yaml
                                        results/rate-next-ml-1m.new-users.json, 3 min on one core

Learning: of each person held out with 40 ratings or more a random half can be asked for, the other
half is to be found. They start unknown and are asked for one film at a time; asked for a film of
the first half they give its stars, for any other they say "not seen"; films of the second half are
not asked for, by any strategy. After 5, 10 and 15 answers the model ranks all films but the first
half: ndcg@10, and the error of its stars, on the second half. Settings of marquee/recommender/elicitation.py were
chosen on validation people with the model as selected; test people are asked through the bundle.

Catalogue: the ratings of 300 persons who were trained on are all that is counted, so that many
films have few; the test people come one after another, give 15 answers each, and what they answer
is counted. The share of films with 5 ratings, by answers and by questions. The network's own
knowledge of films stays that of the whole training.

Shapes: U persons, I films, K star values, n answers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datamodules.datamodule import InteractionDataModule
from datamodules.splits.leave_one_out import Questions
from marquee.core.bootstrap import summarise, summarise_paired
from marquee.core.errors import InputError
from marquee.data.interactions import UserHistories
from marquee.evaluation.baselines.elicitation import (
    BASELINES,
    Bools,
    Floats,
    order_of,
    share_with,
    sitting,
)
from marquee.evaluation.metrics.ranking import ndcg_each, rank_counts_each
from marquee.evaluation.results import code_commit, write_results
from marquee.recommender.elicitation import ENOUGH, RatingElicitation, drawn
from marquee.recommender.history import Entry, History
from marquee.recommender.recommender import Recommender
from marquee.training.callbacks import say
from marquee.training.evaluate import Fit, facts
from marquee.training.recipe import Recipe

OURS = "rate_next"
ANSWERS = (5, 10, 15)
QUESTIONS = (10, 20, 40, 80)
MIN_RATINGS = 40
"""So that 15 answers leave some to be asked for."""
SEEDS = 8
"""Halves, and draws of what is random; figures are averaged over them first."""
FEW = 300
"""Persons whose ratings the catalogue starts with."""
TOGETHER = 10
"""Persons who meet the counts of one state of the catalogue."""


@dataclass(frozen=True, eq=False)
class People:
    """Persons and their real ratings."""

    star_UI: Floats
    """0 where there is no rating."""
    can_ask_UI: Bools
    """Answered with stars when asked for."""
    hidden_UI: Bools
    """To be found, never asked for."""

    @classmethod
    def of(cls, part: Questions, num_items: int, seed: int) -> "People":
        rng = np.random.default_rng(seed)
        histories = part.histories
        users = [user for user in part.user.tolist() if histories.length[user] >= MIN_RATINGS]
        star_UI = np.zeros((len(users), num_items))
        can_ask_UI = np.zeros(star_UI.shape, bool)
        for u, user in enumerate(users):
            rows = slice(histories.indptr[user], histories.indptr[user + 1])
            item = histories.item[rows]
            star_UI[u, item] = histories.stars[rows]
            can_ask_UI[u, rng.permutation(item)[: len(item) // 2]] = True
        return cls(star_UI, can_ask_UI, (star_UI > 0) & ~can_ask_UI)

    def rows(self, some: slice) -> "People":
        return People(self.star_UI[some], self.can_ask_UI[some], self.hidden_UI[some])


@dataclass(frozen=True, eq=False)
class Sittings:
    """What each of U persons answered, in order, and how many questions it took to get there."""

    item: list[list[int]]
    questions: list[list[int]]

    def after_answers(self, num: int) -> list[list[int]]:
        return [items[:num] for items in self.item]

    def after_questions(self, num: int) -> list[list[int]]:
        return [
            [item for item, at in zip(items, asked, strict=True) if at <= num]
            for items, asked in zip(self.item, self.questions, strict=True)
        ]


def measure_rate_next(bundles: Callable[[Recipe, Fit], tuple[Path, Path]], args: list[str]) -> None:
    """Ask the people held out and write `results/rate-next-NAME.json`.

    bundles: the verified bundles of a run, as selected and refitted (train.py). args: as of `fit`.
    Raises InputError for a recipe of another protocol than `new-users`.
    """
    run = Recipe(args, "test", refit="validation")
    if run.config["data"]["protocol"] != "new-users":
        raise InputError(f"{run.name}: rate_next is measured under protocol new-users")
    done, data = Fit.load(run.run_folder), run.datamodule
    model, test = Recommender.load(bundles(run, done)[1]), data.plain_split.test
    content = {
        "recipe": run.file,
        "protocol": "rate-next",  # other figures than those of new-users
        "data": data.dataset.name,
        **facts(data, done, run.device),
        "commit": code_commit(),
        "trained_by": done.commit,
        "seeds": list(range(SEEDS)),
        **learning(model, test, counted(data.plain_split.refit("validation").histories, data)),
        "catalogue": catalogue(model, test, data),
    }
    path = write_results(run.config["results"], f"rate-next-{run.name}", "new-users", content)
    for line in printed(content):
        say(f"{path}: {line}")


def counted(train: UserHistories, data: InteractionDataModule) -> Floats:
    """(I, K) ratings of each film and star value."""
    scale = np.asarray(data.dataset.scale)
    counts_IK = np.zeros((len(data.dataset.movies), len(scale)))
    np.add.at(counts_IK, (train.item, np.searchsorted(scale, train.stars)), 1)
    return counts_IK


def learning(model: Recommender, part: Questions, counts_IK: Floats) -> dict[str, Any]:
    """The part of the results file that tells how fast a person is learned."""
    found: dict[str, dict[str, list[Floats]]] = {name: {} for name in (OURS, *BASELINES)}
    for seed in range(SEEDS):
        people = People.of(part, len(counts_IK), seed)
        for name, each in found.items():
            for figure, value_U in figures(
                model, people, asked(model, people, counts_IK, name, seed)
            ):
                each.setdefault(figure, []).append(value_U)
    means = {
        name: {key: np.array(each) for key, each in one.items()} for name, one in found.items()
    }
    return {
        "num_users": len(people.star_UI),
        "metrics": summarise(means[OURS]),
        "baselines": {name: summarise(means[name]) for name in BASELINES},
        "paired": {name: summarise_paired(means[OURS], means[name]) for name in BASELINES},
    }


def asked(model: Recommender, people: People, counts_IK: Floats, name: str, seed: int) -> Sittings:
    if name == OURS:
        return adapting(model, model.asking, people, seed)
    made = Sittings([], [])
    for u, (can_ask_I, hidden_I) in enumerate(
        zip(people.can_ask_UI, people.hidden_UI, strict=True)
    ):
        order = order_of(name, counts_IK, np.random.default_rng([seed, u]))
        items, questions = sitting(order[~hidden_I[order]], can_ask_I, max(ANSWERS))
        made.item.append(items.tolist())
        made.questions.append(questions.tolist())
    return made


def adapting(model: Recommender, asking: RatingElicitation, people: People, seed: int) -> Sittings:
    """As the service asks with k = 1: an answer changes what comes next, a "not seen" only leaves.

    Films drawn one at a time from unchanged weights are one draw without replacement, so the draw
    is made once an answer.
    """
    made = Sittings([[] for _ in people.star_UI], [[] for _ in people.star_UI])
    keep_UI = ~people.hidden_UI
    rngs = [np.random.default_rng([seed, u]) for u in range(len(keep_UI))]
    for step in range(max(ANSWERS)):
        histories = [entries(model, people, u, items) for u, items in enumerate(made.item)]
        logit_UI = model.score(histories) if step else None
        for u, keep_I in enumerate(keep_UI):
            factors = asking.factors(
                known_rows(model, people, u, made.item[u]),
                None if logit_UI is None else logit_UI[u],
            )
            order = drawn(factors.product_I, keep_I, rngs[u])
            items, questions = sitting(order, people.can_ask_UI[u], 1)
            keep_I[order[: int(questions.sum())]] = False
            before = made.questions[u][-1] if made.questions[u] else 0
            made.item[u].extend(items.tolist())
            made.questions[u].extend((before + questions).tolist())
    return made


def entries(model: Recommender, people: People, u: int, items: list[int]) -> list[Entry]:
    return [(int(model.movie_ids[row]), float(people.star_UI[u, row])) for row in items]


def known_rows(model: Recommender, people: People, u: int, items: list[int]) -> History:
    """The same as `entries`, as rows."""
    stars = np.searchsorted(model.manifest["scale"], people.star_UI[u, items]) + 1
    return History(np.array(items, np.int64), stars, np.empty(0, np.int64))


def figures(model: Recommender, people: People, sittings: Sittings) -> list[tuple[str, Floats]]:
    """Every figure of every person, (U,) each."""
    found: list[tuple[str, Floats]] = []
    for num in ANSWERS:
        known = sittings.after_answers(num)
        found.append((f"ndcg@10/answers={num}", ndcg(model, people, known)))
        found.append((f"mse/answers={num}", star_error(model, people, known)))
        took = [float(each[num - 1]) for each in sittings.questions]
        found.append((f"questions/answers={num}", np.array(took)))
    for num in QUESTIONS:
        known = sittings.after_questions(num)
        found.append((f"ndcg@10/questions={num}", ndcg(model, people, known)))
        found.append((f"answers/questions={num}", np.array([float(len(one)) for one in known])))
    return found


def ndcg(model: Recommender, people: People, known: list[list[int]]) -> Floats:
    score_UI = model.score([entries(model, people, u, items) for u, items in enumerate(known)])
    person_N, item_N = np.nonzero(people.hidden_UI)
    greater_N, ties_N = rank_counts_each(score_UI, person_N, item_N, people.can_ask_UI)
    return ndcg_each(greater_N, ties_N, person_N, 10)


def star_error(model: Recommender, people: People, known: list[list[int]]) -> Floats:
    """Mean squared error of each person's hidden stars."""
    error_U = np.empty(len(known))
    for u, items in enumerate(known):
        rows = np.flatnonzero(people.hidden_UI[u])
        expected_n = model.predict_stars([entries(model, people, u, items)], model.movie_ids[rows])
        error_U[u] = np.mean((expected_n[0] - people.star_UI[u, rows]) ** 2)
    return error_U


def catalogue(model: Recommender, part: Questions, data: InteractionDataModule) -> dict[str, Any]:
    """Share of films with 5 ratings as the people of `part` answer, over SEEDS starts."""
    runs: dict[str, list[list[Growth]]] = {name: [] for name in (OURS, *BASELINES)}
    for seed in range(SEEDS):
        people = People.of(part, len(data.dataset.movies), seed)
        everything = People(people.star_UI, people.star_UI > 0, np.zeros_like(people.hidden_UI))
        for name, each in runs.items():
            each.append(grown(model, everything, first_counts(data, seed), name, seed))
    ours = [one[-1] for one in runs[OURS]]
    return {
        "persons": FEW,
        "share_at_start": over_seeds([one[0].share for one in runs[OURS]]),
        "questions": int(np.mean([end.questions for end in ours])),
        "answers": int(np.mean([end.answers for end in ours])),
        "share/equal_answers": {
            name: over_seeds([one[-1].share for one in each]) for name, each in runs.items()
        },
        "share/equal_questions": {
            name: over_seeds(
                [at_question(one, end.questions) for one, end in zip(each, ours, strict=True)]
            )
            for name, each in runs.items()
        },
        "questions_for_all": {
            name: int(np.mean([one[-1].questions for one in each])) for name, each in runs.items()
        },
    }


class Growth(NamedTuple):
    """The catalogue after some of the sittings."""

    questions: int
    answers: int
    share: float


def grown(
    model: Recommender, people: People, counts_IK: Floats, name: str, seed: int
) -> list[Growth]:
    """People come in groups; each group is asked by what the groups before it have answered."""
    questions = answers = 0
    states = [Growth(0, 0, share_with(counts_IK, ENOUGH))]
    for start in range(0, len(people.star_UI), TOGETHER):
        group = people.rows(slice(start, start + TOGETHER))
        if name == OURS:
            counts_I = counts_IK.sum(axis=1).astype(np.int64)
            asking = RatingElicitation(counts_I, FEW + start, model.star_model)
            sittings = adapting(model, asking, group, seed * len(people.star_UI) + start)
        else:
            sittings = asked(model, group, counts_IK, name, seed * len(people.star_UI) + start)
        for u, items in enumerate(sittings.item):
            stars = np.searchsorted(model.manifest["scale"], group.star_UI[u, items])
            counts_IK[items, stars] += 1
        answers += sum(map(len, sittings.item))
        questions += sum(each[-1] for each in sittings.questions)
        states.append(Growth(questions, answers, share_with(counts_IK, ENOUGH)))
    return states


def at_question(states: list[Growth], questions: int) -> float:
    """The share by then, between two groups in proportion; the last one where nobody is left."""
    return float(np.interp(questions, [s.questions for s in states], [s.share for s in states]))


def first_counts(data: InteractionDataModule, seed: int) -> Floats:
    """(I, K) ratings of FEW persons who were trained on."""
    train = data.plain_split.histories
    users = np.random.default_rng(seed).permutation(np.flatnonzero(train.length))[:FEW]
    return counted(train.where(np.isin(train.user, users)), data)


def over_seeds(values: list[float]) -> dict[str, float]:
    """Mean and range."""
    return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}


def printed(content: dict[str, Any]) -> Iterator[str]:
    for name in (f"ndcg@10/answers={num}" for num in ANSWERS):
        yield f"{name} {content['metrics'][name]['mean']:.4f}"
        for rival, each in content["paired"].items():
            diff, low, high = (each[name][key] for key in ("diff", "low", "high"))
            yield f"  over {rival:<20} {diff:+.4f} [{low:+.4f}, {high:+.4f}]"
    for axis in ("answers", "questions"):
        for name, share in content["catalogue"][f"share/equal_{axis}"].items():
            yield f"films with {ENOUGH} ratings at equal {axis}: {name:<20} {share['mean']:.4f}"
