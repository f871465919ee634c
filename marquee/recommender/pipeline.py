"""Lists for many people at once: candidates, order, stars, and what each film is there because of.

    lister.of([Question(history=[1193], k=10), …])      # an answer or a RequestError each

Shapes: B people, I movies of the bundle, n movies on a page.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from marquee.recommender.errors import RequestError
from marquee.recommender.explain import because, because_of_genres, effects
from marquee.recommender.filters import Filters
from marquee.recommender.history import History, read_history
from marquee.recommender.item_catalog import Card, ItemCatalog
from marquee.recommender.query import Question
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.rerank import Controls, Reranker
from marquee.recommender.scoring import Scorer

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Answer = dict[str, Any]
T = TypeVar("T")

PEOPLE_TOGETHER = 256
"""Scored together: over 62,000 movies their logits take 63 MB."""
NO_CONTROLS = Controls()


@dataclass(frozen=True, eq=False)
class Pick:
    """What is on one page of somebody's list."""

    person: History
    rows: Int64
    score_n: Float32
    next_offset: int | None


@dataclass(frozen=True, eq=False)
class RankingPipeline:
    """What of a bundle makes lists."""

    cards: ItemCatalog
    star_of: Mapping[float, int]
    """Stars to 1 + their place on the scale."""
    filters: Filters
    scorer: Scorer
    shelf: Reranker
    star_model: RatingModel
    model_version: str

    def of(self, questions: Sequence[Question]) -> Iterator[Answer | RequestError]:
        """An answer to each of B questions, or what is wrong with it, in their order.

        The histories are encoded PEOPLE_TOGETHER at a time, which moves a score by rounding only.
        """
        for start in range(0, len(questions), PEOPLE_TOGETHER):
            part = questions[start : start + PEOPLE_TOGETHER]
            people = [self._or_fault(self._person, question) for question in part]
            known = [
                (question, person)
                for question, person in zip(part, people, strict=True)
                if isinstance(person, History)
            ]
            scores = self.scorer.for_lists(known)
            picks = [
                self._or_fault(self._pick, question, person, next(scores))
                if isinstance(person, History)
                else person
                for question, person in zip(part, people, strict=True)
            ]
            yield from self._answers(part, picks)

    @staticmethod
    def _or_fault(make: Callable[..., T], *given: Any) -> T | RequestError:
        try:
            return make(*given)
        except RequestError as fault:
            return fault

    def _person(self, question: Question) -> History:
        given = question.history, self.cards.row_of, self.star_of, question.not_interested
        return read_history(*given)

    def _pick(self, question: Question, person: History, score_I: Float32) -> Pick:
        controls = question.controls
        rows_of = self.cards.rows
        keep_I = self.filters.mask(question.filters)
        if question.include_ids is not None:
            keep_I &= self.filters.only(rows_of(question.include_ids, "include_ids"))
        if question.exclude_ids is not None:
            keep_I[rows_of(question.exclude_ids, "exclude_ids")] = False
        if question.exclude_seen:
            keep_I[person.seen] = False
        keep_I[person.refused] = False
        keep_I &= score_I > -np.inf
        wanted_I = self.shelf.away_from(score_I, person.refused)
        rows, next_offset = self.shelf.page(
            wanted_I, keep_I, person.item, controls, question.k, question.offset
        )
        return Pick(person, rows, score_I[rows], next_offset)

    def _answers(
        self, questions: Sequence[Question], picks: Sequence[Pick | RequestError]
    ) -> Iterator[Answer | RequestError]:
        """What was picked, with its stars, worked out for many people together."""
        good = [pick for pick in picks if isinstance(pick, Pick)]
        stars = self.star_model.describe(
            [pick.person for pick in good], [pick.rows for pick in good]
        )
        for question, pick in zip(questions, picks, strict=True):
            if isinstance(pick, RequestError):
                yield pick
                continue
            more = {"score": pick.score_n.tolist(), "stars": next(stars)}
            if question.explain:
                more["because"] = self._because(pick.person, pick.rows, question.controls)
            yield {
                "items": self.cards.items(pick.rows, **more),
                "strategy": strategy(pick.person, question.controls),
                "model_version": self.model_version,
                "next_offset": pick.next_offset,
            }

    def _because(self, person: History, rows: Int64, controls: Controls) -> list[list[Card]]:
        profile_G = self.shelf.profile(person.item, controls)
        if len(person):
            effect_LK = effects(self.scorer.of, person, rows, self.scorer.history_length)
            return because(effect_LK, person, self.cards)
        if profile_G is not None:
            share_KG = self.shelf.share_IG[rows]
            return because_of_genres(profile_G, share_KG, self.cards.movies.genre_names)
        return [[] for _ in rows]


def strategy(person: History, controls: Controls) -> str:
    """Which path answered: "history"; without one "content" where genres are asked for."""
    if len(person):
        return "history"
    return "content" if controls.genre_profile is not None else "popular"
