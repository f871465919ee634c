"""The report: its contract, its bytes, its words, and what it says where the data says little."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.splits import split_next
from marquee.core.bootstrap import Interval
from marquee.core.errors import InputError
from marquee.data.user_histories import build_histories
from marquee.insights.aggregates import aggregate
from marquee.insights.finding import Chart
from marquee.insights.findings.changes import changes, points
from marquee.insights.findings.segments import Segments, segments_of, stability
from marquee.insights.findings.underserved_groups import Group, action_for
from marquee.insights.findings.vocabulary import surfaces
from marquee.insights.findings_command import main
from marquee.insights.model_view import ModelView, tie_order_of, view_of
from marquee.insights.render.html import page
from marquee.insights.render.markdown import markdown
from marquee.insights.render.svg import svg
from marquee.insights.report import MODEL_FINDINGS, Report, make_report
from marquee.insights.resample import UserResamples
from marquee.recommender.bundle import write_bundle
from tests.support.paths import ROOT
from tests.support.ratings_files import (
    NAME,
    SECOND,
    YEAR_S,
    Row,
    dataset_of,
    random_rows,
    write_ratings,
)
from tests.support.tiny_bundle import FILMS, tiny_parts

JARGON = (
    "ndcg",
    "rmse",
    "embedding",
    "logit",
    "auc",
    "softmax",
    "bootstrap",
    "jackknife",
    "cosine",
)
FIELDS = {"id", "title", "sentence", "value", "low", "high", "unit", "n", "told", "chart"}
FIELDS |= {"so_what", "how_sure", "how_we_will_know"}
CATALOGUE = [
    (m, f"F{m} ({1990 + m % 20})", "Drama|War" if m % 3 else "Comedy") for m in range(1, 41)
]
LISTED = [
    (
        movie_id,
        title if year is None else f"{title} ({year})",
        "|".join(genres) or "(no genres listed)",
    )
    for movie_id, title, year, genres, _ in FILMS
]
TAGS = "1,6,car chases,5\n3,480,chase,5\n3,541,a chase,5\n5,10,chases,6\n7,10,chases,6\n"
TASTES = ((6, 10, 480, 541, 50), (1, 260, 296, 32, 110))
"""Action, or comedy and drama: films of conftest.FILMS."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    dataset = dataset_of(tmp_path_factory.mktemp("plain"), random_rows(60, 40), CATALOGUE)
    return make_report(dataset, build_histories(dataset))


def two_tastes() -> list[Row]:
    """120 people, half of them of each taste, who rate most of their own films and one other."""
    rng, rows = np.random.default_rng(0), []
    for user in range(1, 121):
        own, other = TASTES[user % 2], TASTES[1 - user % 2]
        chosen = [*rng.choice(own, 4, replace=False), rng.choice(other)]
        rng.shuffle(chosen)
        times = SECOND + np.sort(rng.integers(0, YEAR_S, 5))
        stars = rng.integers(2, 11, 5) / 2
        rows += list(zip([user] * 5, map(int, chosen), stars.tolist(), times.tolist(), strict=True))
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two tastes, and bundles that say they were trained on it."""
    root = tmp_path_factory.mktemp("tastes")
    dataset = dataset_of(root, two_tastes(), LISTED, tags=TAGS)
    for name, config, refit in (
        ("next", {}, "validation"),
        ("everything", {}, "all"),
        ("time", {"data": {"protocol": "time"}}, "validation"),
    ):
        parts = tiny_parts()
        parts["manifest"] |= {"name": name, "refit": refit, "config": config}
        parts["manifest"]["data"] |= {"name": NAME, "sha256": dataset.sha256, "num_users": 120}
        write_bundle(root / "bundles" / name, **parts)
    return root


def seen(root: Path, bundle: str = "next") -> tuple[Any, Any, ModelView]:
    from marquee.data.dataset import load_dataset

    dataset, folder = load_dataset(NAME, root), root / "bundles" / bundle
    tie_order = tie_order_of(folder, dataset)
    histories = build_histories(dataset, tie_order.ties, tie_order.seed)
    view = view_of(dataset, histories, folder)
    assert view is not None
    return dataset, histories, view


@pytest.fixture(scope="module")
def with_a_bundle(root: Path) -> Report:
    return make_report(*seen(root))


def test_findings_json_is_what_others_read(report: Report) -> None:
    content = report.to_json()
    assert content["data"]["people"] == 60
    assert set(content) >= {"seed", "made_by", "executive_summary", "cannot_tell", "findings"}
    assert len(content["executive_summary"]) == 5 and len(content["cannot_tell"]) == 3
    assert all(set(each) >= {"finding", "lever"} for each in content["executive_summary"])
    assert sum(content["rating_share_percent"].values()) == pytest.approx(100, abs=0.05)
    assert set(content["rating_share_percent"]) >= {"0.5", "4", "4.5", "5"}
    for finding in content["findings"]:
        assert set(finding) >= FIELDS
        if finding["told"]:
            assert finding["low"] <= finding["value"] <= finding["high"], finding["id"]
            assert finding["n"] > 0 and finding["what"] and finding["chart"]["rows"]
            for field in ("so_what", "lever", "how_sure", "how_we_will_know"):
                assert finding[field], (finding["id"], field)
    json.dumps(content, allow_nan=False)


def test_without_a_bundle_the_model_is_asked_for(report: Report) -> None:
    found = {each.id: each for each in report.findings}
    for id in MODEL_FINDINGS:
        assert not found[id].available and "BUNDLE=" in found[id].sentence


def words_for_everybody(report: Report) -> str:
    texts = [report.title, report.facts, *report.notes, *report.cannot_tell, report.summary_title]
    for each in report.findings:
        texts += [each.title, each.sentence, each.meaning, each.action, each.how_sure]
        texts += [each.chart.title] if each.chart else []
    return " ".join(texts).lower()


@pytest.mark.parametrize("name", ["report", "with_a_bundle"])
def test_no_jargon_but_for_analysts(name: str, request: pytest.FixtureRequest) -> None:
    text = words_for_everybody(request.getfixturevalue(name))
    assert [word for word in JARGON if re.search(rf"\b{word}", text)] == []


@pytest.mark.parametrize("name", ["report", "with_a_bundle"])
def test_the_page_fetches_nothing(name: str, request: pytest.FixtureRequest) -> None:
    html = page(request.getfixturevalue(name))
    assert not re.search(r"https?:|//|url\(|@import|<script|<img|<link|src=", html)
    assert set(re.findall(r'href="([^"]*)"', html)) == {
        f"#{each.id}" for each in request.getfixturevalue(name).summary
    }
    for drawn in re.findall(r"<svg.*?</svg>", html, re.S):
        root = ElementTree.fromstring(drawn)
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert "nan" not in drawn and "inf" not in drawn


def test_films_are_escaped(tmp_path: Path) -> None:
    catalogue = [
        (m, f"<script>alert({m})</script> & | ({1990 + m})", "Drama") for m in range(1, 21)
    ]
    dataset = dataset_of(tmp_path, random_rows(30, 20), catalogue)
    report = make_report(dataset, build_histories(dataset))
    assert "<script" not in page(report) and "&lt;script&gt;alert(1)" in page(report)


def told(arguments: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "marquee.cli", "findings", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=120
    )


def test_the_same_data_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    made = []
    for seed in ("1", "2"):  # sets and dicts of strings in another order
        out = tmp_path / seed
        arguments = [NAME, "--root", str(root), "--bundle", str(root / "bundles/next")]
        done = told([*arguments, "--out", str(out)], PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        made.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert made[0] == made[1]
    assert list(made[0]) == ["findings.html", "findings.json", "findings.md"]


ALONE = [(1, m, 4.0, SECOND + m) for m in range(1, 9)]
ONE_FILM = [(u, 1, 4.0, SECOND + YEAR_S * (u % 3)) for u in range(1, 31)]
SAME_TIME = [(u, m, s, SECOND) for u, m, s, _ in random_rows(30, 20)]


@pytest.mark.parametrize(
    ("rows", "genres", "untold"),
    [
        pytest.param(ALONE, "Drama", "genres ratings skew sittings", id="one-user"),
        pytest.param(ONE_FILM, "Drama", "films-per-year segments", id="one-film"),
        pytest.param(random_rows(30, 20), "(no genres listed)", "genres", id="no-genres"),
        pytest.param(SAME_TIME, "Drama", "over-time sittings films-per-year", id="no-times"),
    ],
)
def test_poor_data_says_what_it_cannot_tell(
    tmp_path: Path, rows: list[Row], genres: str, untold: str
) -> None:
    write_ratings(tmp_path, rows, [(m, f"F ({1990 + m})", genres) for m in range(1, 21)])
    out = tmp_path / "out"
    assert main([NAME, "--root", str(tmp_path), "--out", str(out)]) == 0
    content = json.loads((out / "findings.json").read_text())
    found = {each["id"]: each for each in content["findings"]}
    for id in untold.split():
        assert not found[id]["told"] and found[id]["sentence"].endswith("."), id
    assert "rating_share_percent" in content and (out / "findings.html").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("userId,movieId,rating,timestamp\n", "ratings.csv", id="empty"),
        pytest.param("userId,movieId,rating,timestamp\n1,1,9.0,5\n", "line 2", id="off-the-scale"),
    ],
)
def test_broken_data_is_one_sentence_and_no_report(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_ratings(tmp_path, ALONE, CATALOGUE)
    (folder / "ratings.csv").write_text(content)
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_what_is_stopped_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(report: Report) -> str:
        raise KeyboardInterrupt

    write_ratings(tmp_path, ALONE, CATALOGUE)
    monkeypatch.setattr("marquee.insights.findings_command.markdown", stop)
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 130
    assert "nothing was written" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_write_that_fails_leaves_all_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ALONE, CATALOGUE)
    command = [NAME, "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    writes = iter([Path.write_bytes])

    def fill_disk(path: Path, data: bytes) -> int:
        """Write the first file, and find the disk full at the second."""
        write = next(writes, None)
        if write is None:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill_disk)
    assert main([*command, "--seed", "1"]) == 2
    assert "not writable (No space left on device)" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_seed_below_zero_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([NAME, "--seed", "-1"]) == 2
    assert "'-1' is no seed" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ALONE, CATALOGUE)
    (tmp_path / "file").write_text("")
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "file" / "x")]) == 2
    assert "--out" in capsys.readouterr().err


def test_the_model_is_asked_what_the_test_part_asks(root: Path) -> None:
    dataset, histories, view = seen(root)
    test = split_next(histories, len(dataset.movies)).test
    assert view.user_U.tolist() == test.user.tolist()
    last = histories.item[test.context_end]
    assert view.last_item_U.tolist() == last.tolist()
    before = test.contexts()
    assert all(np.array_equal(*each) for each in zip(view.histories, before, strict=True))
    assert view.ranked.top.shape == (120, 10)
    listed = view.ranked.top[0]
    assert not set(listed[listed >= 0]) & set(view.histories[0])


def test_planted_tastes_are_found_and_named(root: Path) -> None:
    dataset, _, view = seen(root)
    found = segments_of(view, dataset.movies)
    assert isinstance(found, Segments) and len(found) == 2
    planted = view.user_U % 2
    agree = (found.group_U == planted).mean()
    assert max(agree, 1 - agree) > 0.95
    action = next(s for s in range(2) if "Action" in found.names[s])
    assert {"Heat (1995)", "GoldenEye (1995)"} & set(found.movies[action])


def test_groups_that_do_not_hold_are_not_reported() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 12))
    assert all(stability(noise, size, 0) < 0.7 for size in (2, 5))
    blocks = np.repeat(np.eye(3, 12), 100, axis=0) + noise / 20
    assert stability(blocks, 3, 0) == 1


def test_findings_with_a_bundle(with_a_bundle: Report) -> None:
    found = {each.id: each for each in with_a_bundle.findings}
    for id in MODEL_FINDINGS:
        assert found[id].available, found[id].sentence
    words = found["words"]
    assert re.search(r"\bchases\b", words.sentence)  # the word as most write it, not its stem
    assert with_a_bundle.provenance["model"]["name"] == "next"
    assert found["changes"].numbers["popularity_bias"] != 0


def test_people_who_rated_every_film_have_no_list(root: Path) -> None:
    dataset, histories, view = seen(root)
    top = view.ranked.top.copy()
    top[0] = -1
    tables = aggregate(dataset, histories)
    emptied = replace(view, ranked=view.ranked._replace(top=top))
    found = changes(emptied, tables, UserResamples(len(view.user_U)))
    assert found.available and "of 119 people" in found.sentence
    nobody = replace(view, ranked=view.ranked._replace(top=np.full_like(top, -1)))
    assert not changes(nobody, tables, UserResamples(len(view.user_U))).available


@pytest.mark.parametrize(
    ("rows", "told"), [(two_tastes(), True), (two_tastes()[:5], False)], ids=["all", "one-user"]
)
def test_a_bundle_and_poor_data(root: Path, tmp_path: Path, rows: list[Row], told: bool) -> None:
    others = [(1000, film, 4.0, SECOND) for film, *_ in LISTED] if not told else []
    films = [(film, title, "(no genres listed)") for film, title, _ in LISTED]
    dataset = dataset_of(tmp_path, [*rows, *others], films)
    parts = tiny_parts()
    parts["manifest"]["data"] |= {"sha256": dataset.sha256}
    folder = tmp_path / "bundle"
    write_bundle(folder, **parts)
    histories = build_histories(dataset)
    report = make_report(dataset, histories, view_of(dataset, histories, folder))
    found = {each.id: each for each in report.findings}
    assert found["changes"].available == told and not found["genres"].available
    assert page(report).count("<article") == len(found)


def test_what_to_do_is_for_people_or_for_films() -> None:
    nobody = np.zeros(1, bool)
    people, films = (
        Group(key="people who rate harshly", name="people who rate harshly", is_in_U=nobody),
        Group(key="Horror films", name="Horror movies", is_in_U=nobody, of_movies=True),
    )
    assert action_for([films]).startswith("Help Horror movies into lists")
    assert action_for([people]).startswith("Look first at the lists of people who rate harshly")
    assert action_for([]).startswith("No group")


def test_fewer_is_not_less_than_nothing_more() -> None:
    assert points(Interval(-0.84, -1.4, -0.25)) == "0.84 points fewer, 95% interval: 0.25 to 1.4"
    assert points(Interval(1.1, 0.88, 1.2)) == "1.1 points more, 95% interval: 0.88 to 1.2"


def test_hits_are_counted_by_group(root: Path, with_a_bundle: Report) -> None:
    _, _, view = seen(root)
    served = next(each for each in with_a_bundle.findings if each.id == "served")
    hit_P = np.array(
        [last in top for last, top in zip(view.last_item_U, view.ranked.top, strict=True)], float
    )
    assert served.numbers["hit_percent/all people"] == pytest.approx(100 * hit_P.mean())
    off = np.abs(view.expected_rating_U - view.last_rating_U).mean()
    assert served.numbers["star_error/all people"] == pytest.approx(off)


@pytest.mark.parametrize(
    ("bundle", "why"), [("everything", "seen the answers"), ("time", "protocol time")]
)
def test_a_bundle_that_knows_the_answers_is_no_test(root: Path, bundle: str, why: str) -> None:
    report = make_report(*seen(root, bundle))
    found = {each.id: each for each in report.findings}
    assert not found["served"].available and why in found["served"].sentence
    assert found["changes"].available


def test_a_bundle_of_other_data_is_refused(
    tmp_path: Path, bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ALONE, CATALOGUE)
    arguments = [NAME, "--root", str(tmp_path), "--bundle", str(bundle_folder)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "trained on tiny" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_words_are_shown_as_they_are_written(tmp_path: Path) -> None:
    films = [(1, "Running Man (1987)", "Action"), (2, "Runs (1990)", "Action")]
    dataset = dataset_of(tmp_path, [(1, 1, 4.0, 5), (1, 2, 4.0, 6)], films, tags="1,1,runs,5\n")
    assert surfaces(dataset.movies, dataset.tags)["run"] == "runs"


def test_titles_are_no_markdown(tmp_path: Path) -> None:
    films = [(m, f"M*A*S*H | <b>[{m}]</b> (1970)", "Drama") for m in range(1, 21)]
    dataset = dataset_of(tmp_path, random_rows(30, 20), films)
    text = markdown(make_report(dataset, build_histories(dataset)))
    assert r"M\*A\*S\*H \| \<b\>\[" in text and "M*A" not in text
    assert "`novelty` of POST /recommend" in text


def test_charts_draw_what_their_table_says() -> None:
    rows = (("a", 10.0, 8.0, 12.0), ("b <", 5.0, 4.0, 6.0))
    columns = ("name", "%", "low", "high")
    drawn = svg(
        Chart(kind="bars", title="T & C", columns=columns, rows=rows, interval_columns=(2, 3))
    )
    root = ElementTree.fromstring(drawn)
    widths = [float(bar.attrib["width"]) for bar in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    texts = [text.text for text in root.iter("text")]
    assert texts == ["a", "10", "b <", "5"] and "the largest is a with 10" in drawn


def test_sums_do_not_depend_on_the_block(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, histories, _ = seen(root)
    whole = aggregate(dataset, histories)
    monkeypatch.setattr("marquee.core.memmap.CHUNK_ROWS", 7)
    parts = aggregate(dataset, histories)
    for name, value in vars(whole).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, getattr(parts, name)), name


def test_user_errors_are_what_main_catches(root: Path) -> None:
    dataset, _, _ = seen(root)
    with pytest.raises(InputError, match="no such bundle"):
        tie_order_of(root / "nowhere", dataset)
