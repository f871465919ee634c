"""The findings report: its files, its words, and its answers to poor data."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamodules.splits import split_next
from marquee.core.bootstrap import Interval
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.history_order import build_histories
from marquee.data.user_histories import UserHistories
from marquee.insights import findings_command
from marquee.insights.aggregates import aggregate
from marquee.insights.findings.changes import changes
from marquee.insights.findings.segments import Segments, segments_of, stability
from marquee.insights.findings.vocabulary import surfaces
from marquee.insights.findings_command import main
from marquee.insights.model_view import ModelView, histories_as_trained, load_bundle, view_of
from marquee.insights.render.documents import html, markdown
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
from tests.support.report_prose import JARGON, check_short_sentences, prose
from tests.support.tiny_bundle import MOVIES, tiny_parts

FIELDS = {
    *("id", "title", "sentence", "value", "low", "high", "unit", "value_text", "interval_text"),
    *("meaning", "n", "unit_of_n", "available", "chart", "numbers"),
    *("action", "lever", "how_sure", "how_we_will_know"),
}
RANDOM_MOVIES = [
    (m, f"F{m} ({1990 + m % 20})", "Drama|War" if m % 3 else "Comedy") for m in range(1, 41)
]
LISTED_MOVIES = [
    (
        movie_id,
        title if year is None else f"{title} ({year})",
        "|".join(genres) or "(no genres listed)",
    )
    for movie_id, title, year, genres, _ in MOVIES
]
TAGS = "1,6,car chases,5\n3,480,chase,5\n3,541,a chase,5\n5,10,chases,6\n7,10,chases,6\n"
TASTES = ((6, 10, 480, 541, 50), (1, 260, 296, 32, 110))
"""Movies of action, or of comedy and drama."""
View = tuple[Dataset, UserHistories, ModelView]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report without a bundle."""
    folder = tmp_path_factory.mktemp("plain")
    dataset = dataset_of(folder, random_rows(60, 40), RANDOM_MOVIES)
    return make_report(dataset, build_histories(dataset))


def two_tastes() -> list[Row]:
    """Ratings of 120 users, half of them of each taste: four of their own, one of the other."""
    rng, rows = np.random.default_rng(0), []
    for user in range(1, 121):
        own, other = TASTES[user % 2], TASTES[1 - user % 2]
        movie_ids = [*rng.choice(own, 4, replace=False), rng.choice(other)]
        rng.shuffle(movie_ids)
        times = SECOND + np.sort(rng.integers(0, YEAR_S, 5))
        stars = rng.integers(2, 11, 5) / 2
        entries = zip(map(int, movie_ids), stars.tolist(), times.tolist(), strict=True)
        rows += [(user, *entry) for entry in entries]
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two tastes, and bundles whose manifest names it."""
    root = tmp_path_factory.mktemp("tastes")
    dataset = dataset_of(root, two_tastes(), LISTED_MOVIES, tags=TAGS)
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


def read_view(root: Path, bundle: str = "next") -> View:
    dataset = load_dataset(NAME, root)
    model = load_bundle(root / "bundles" / bundle, dataset)
    histories = histories_as_trained(dataset, model)
    view = view_of(dataset, histories, model)
    assert view is not None
    return dataset, histories, view


@pytest.fixture(scope="module")
def bundle_report(root: Path) -> Report:
    return make_report(*read_view(root))


def test_findings_json_has_the_documented_keys(report: Report) -> None:
    content = report.to_json()
    assert content["data"]["users"] == 60 and content["data"]["movies"] > 30
    assert set(content) == {
        *("title", "facts", "notes", "how_to_read", "limits", "data", "model", "seed", "draws"),
        *("made_by", "executive_summary", "findings", "rating_share_percent"),
    }
    assert len(content["executive_summary"]) == 5 and len(content["limits"]) == 3
    assert all(set(entry) == {"id", "finding", "lever"} for entry in content["executive_summary"])
    assert sum(content["rating_share_percent"].values()) == pytest.approx(100, abs=0.05)
    assert set(content["rating_share_percent"]) >= {"0.5", "4", "4.5", "5"}
    for finding in content["findings"]:
        assert set(finding) == FIELDS
        if finding["available"]:
            assert finding["low"] <= finding["value"] <= finding["high"], finding["id"]
            assert finding["n"] > 0 and finding["meaning"] and finding["chart"]["rows"]
            for field in ("action", "lever", "how_sure", "how_we_will_know"):
                assert finding[field], (finding["id"], field)
    json.dumps(content, allow_nan=False)


def test_findings_without_a_bundle_name_the_remedy(report: Report) -> None:
    findings = {finding.id: finding for finding in report.findings}
    for id in MODEL_FINDINGS:
        assert not findings[id].available and "BUNDLE=" in findings[id].sentence
        assert findings[id].title.endswith("needs a trained model")


@pytest.mark.parametrize("name", ["report", "bundle_report"])
def test_prose_uses_the_words_of_the_field(name: str, request: pytest.FixtureRequest) -> None:
    text = "\n".join(prose(request.getfixturevalue(name)))
    assert JARGON.findall(text) == []


@pytest.mark.parametrize("name", ["report", "bundle_report"])
def test_prose_has_short_sentences(name: str, request: pytest.FixtureRequest) -> None:
    check_short_sentences(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["report", "bundle_report"])
def test_html_fetches_nothing(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name)
    page = html(report)
    assert not re.search(r"https?:|//|url\(|@import|<script|<img|<link|src=", page)
    links = set(re.findall(r'href="([^"]*)"', page))
    assert links == {f"#{finding.id}" for finding in report.summary}
    for picture in re.findall(r"<svg.*?</svg>", page, re.S):
        root = ElementTree.fromstring(picture)
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert "nan" not in picture and "inf" not in picture


def test_html_holds_every_finding_and_its_table(bundle_report: Report) -> None:
    page = html(bundle_report)
    assert page.count("<article") == len(bundle_report.findings)
    charts = [finding.chart for finding in bundle_report.findings if finding.chart]
    assert page.count("<table>") == page.count("<svg") == len(charts)
    assert page.count("<tr>") == sum(1 + len(chart.rows) for chart in charts)
    assert "<code>novelty</code>" in page


def test_html_escapes_titles(tmp_path: Path) -> None:
    movies = [(m, f"<script>alert({m})</script> & | ({1990 + m})", "Drama") for m in range(1, 21)]
    dataset = dataset_of(tmp_path, random_rows(30, 20), movies)
    page = html(make_report(dataset, build_histories(dataset)))
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page


def test_markdown_escapes_titles(tmp_path: Path) -> None:
    movies = [(m, f"M*A*S*H | <b>[{m}]</b> (1970)", "Drama") for m in range(1, 21)]
    dataset = dataset_of(tmp_path, random_rows(30, 20), movies)
    text = markdown(make_report(dataset, build_histories(dataset)))
    assert r"M\*A\*S\*H \| \<b\>\[" in text and "M*A" not in text
    assert "`novelty` of POST /recommend" in text


def test_markdown_has_a_table_for_each_chart(report: Report) -> None:
    lines = markdown(report).splitlines()
    charts = [finding.chart for finding in report.findings if finding.chart]
    rules = [line for line in lines if re.fullmatch(r"\|( --- \|)+", line)]
    assert len(rules) == len(charts)
    headings = [line for line in lines if line.startswith("### ")]
    assert len(headings) == len(report.findings)


def run_findings(arguments: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "marquee.cli", "findings", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=120
    )


def test_findings_command_writes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    contents = []
    for seed in ("1", "2"):  # sets and dicts of strings in another order
        out = tmp_path / seed
        arguments = [NAME, "--root", str(root), "--bundle", str(root / "bundles/next")]
        result = run_findings([*arguments, "--out", str(out)], PYTHONHASHSEED=seed)
        assert result.returncode == 0, result.stderr
        contents.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert contents[0] == contents[1]
    assert list(contents[0]) == ["findings.html", "findings.json", "findings.md"]


ONE_USER = [(1, m, 4.0, SECOND + m) for m in range(1, 9)]
ONE_MOVIE = [(u, 1, 4.0, SECOND + YEAR_S * (u % 3)) for u in range(1, 31)]
SAME_TIME = [(u, m, s, SECOND) for u, m, s, _ in random_rows(30, 20)]


@pytest.mark.parametrize(
    ("rows", "genres", "ids", "limit"),
    [
        pytest.param(ONE_USER, "Drama", "ratings skew sessions", "Genres: all", id="one-user"),
        pytest.param(ONE_MOVIE, "Drama", "movies-per-year segments", "Genres: all", id="one-movie"),
        pytest.param(
            random_rows(30, 20), "(no genres listed)", "segments", "Genres: the", id="no-genres"
        ),
        pytest.param(SAME_TIME, "Drama", "segments", "Times: all", id="no-times"),
    ],
)
def test_findings_of_poor_data_say_not_enough_data(
    tmp_path: Path, rows: list[Row], genres: str, ids: str, limit: str
) -> None:
    write_ratings(tmp_path, rows, [(m, f"F ({1990 + m})", genres) for m in range(1, 21)])
    out = tmp_path / "out"
    assert main([NAME, "--root", str(tmp_path), "--out", str(out)]) == 0
    content = json.loads((out / "findings.json").read_text())
    findings = {finding["id"]: finding for finding in content["findings"]}
    for id in ids.split():
        assert not findings[id]["available"] and findings[id]["sentence"].endswith("."), id
        assert re.search("not enough data|needs a trained model", findings[id]["title"])
    (sentence,) = [text for text in content["limits"] if text.startswith(limit)]
    assert "Left out: " in sentence
    assert "rating_share_percent" in content and (out / "findings.html").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("userId,movieId,rating,timestamp\n", "ratings.csv", id="empty"),
        pytest.param("userId,movieId,rating,timestamp\n1,1,9.0,5\n", "line 2", id="off-the-scale"),
    ],
)
def test_findings_command_of_broken_data_writes_nothing(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_ratings(tmp_path, ONE_USER, RANDOM_MOVIES)
    (folder / "ratings.csv").write_text(content)
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_findings_command_stopped_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(report: Report) -> str:
        raise KeyboardInterrupt

    write_ratings(tmp_path, ONE_USER, RANDOM_MOVIES)
    monkeypatch.setattr(findings_command, "markdown", stop)
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 130
    assert "nothing was written" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_findings_command_on_a_full_disk_keeps_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ONE_USER, RANDOM_MOVIES)
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


def test_findings_command_refuses_a_negative_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([NAME, "--seed", "-1"]) == 2
    assert "'-1' is no seed" in capsys.readouterr().err


def test_findings_command_refuses_a_file_as_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ONE_USER, RANDOM_MOVIES)
    (tmp_path / "file").write_text("")
    assert main([NAME, "--root", str(tmp_path), "--out", str(tmp_path / "file" / "x")]) == 2
    assert "--out" in capsys.readouterr().err


def test_findings_command_refuses_a_bundle_of_other_data(
    tmp_path: Path, bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ratings(tmp_path, ONE_USER, RANDOM_MOVIES)
    arguments = [NAME, "--root", str(tmp_path), "--bundle", str(bundle_folder)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "trained on tiny" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_load_bundle_missing_is_an_input_error(root: Path) -> None:
    with pytest.raises(InputError, match="no such bundle"):
        load_bundle(root / "nowhere", load_dataset(NAME, root))


def test_view_queries_equal_those_of_the_next_split(root: Path) -> None:
    dataset, histories, view = read_view(root)
    test = split_next(histories, len(dataset.movies)).test
    assert view.user_U.tolist() == test.user.tolist()
    last = histories.item[test.context_end]
    assert view.last_item_U.tolist() == last.tolist()
    contexts = zip(view.histories, test.contexts(), strict=True)
    assert all(np.array_equal(context, expected) for context, expected in contexts)
    assert view.ranked.top.shape == (120, 10)
    top = view.ranked.top[0]
    assert not set(top[top >= 0]) & set(view.histories[0])


def test_segments_recover_planted_tastes(root: Path) -> None:
    dataset, _, view = read_view(root)
    groups = segments_of(view, dataset.movies)
    assert isinstance(groups, Segments) and len(groups) == 2
    agreement = (groups.group_U == view.user_U % 2).mean()
    assert max(agreement, 1 - agreement) > 0.95
    action = next(group for group in range(2) if "Action" in groups.names[group])
    assert {"Heat (1995)", "GoldenEye (1995)"} & set(groups.movies[action])


def test_stability_is_low_for_noise_and_full_for_blocks() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 12))
    assert all(stability(noise, size, 0) < 0.7 for size in (2, 5))
    blocks = np.repeat(np.eye(3, 12), 100, axis=0) + noise / 20
    assert stability(blocks, 3, 0) == 1


def test_surfaces_show_stems_as_most_texts_write_them(tmp_path: Path) -> None:
    movies = [(1, "Running Man (1987)", "Action"), (2, "Runs (1990)", "Action")]
    dataset = dataset_of(tmp_path, [(1, 1, 4.0, 5), (1, 2, 4.0, 6)], movies, tags="1,1,runs,5\n")
    assert surfaces(dataset.movies, dataset.tags)["run"] == "runs"


def test_findings_with_a_bundle_are_available(bundle_report: Report) -> None:
    findings = {finding.id: finding for finding in bundle_report.findings}
    for id in MODEL_FINDINGS:
        assert findings[id].available, findings[id].sentence
    assert re.search(r"\bchases\b", findings["words"].sentence)  # the word, not its stem
    model = bundle_report.to_json()["model"]
    assert model["name"] == "next" and model["users"] == 120
    bias = findings["changes"].numbers["popularity_bias"]
    assert isinstance(bias, Interval) and bias.mean != 0


def test_changes_leave_out_users_without_a_list(root: Path) -> None:
    dataset, histories, view = read_view(root)
    aggregates, resamples = aggregate(dataset, histories), UserResamples(len(view))
    top = view.ranked.top.copy()
    top[0] = -1
    finding = changes(replace(view, ranked=view.ranked._replace(top=top)), aggregates, resamples)
    assert finding.available and "of 119 users" in finding.sentence
    empty = view.ranked._replace(top=np.full_like(top, -1))
    assert not changes(replace(view, ranked=empty), aggregates, resamples).available


def tiny_report(folder: Path, rows: list[Row], movies: list[tuple[int, str, str]]) -> Report:
    """Report on ratings with the tiny bundle."""
    dataset = dataset_of(folder, rows, movies)
    parts = tiny_parts()
    parts["manifest"]["data"] |= {"sha256": dataset.sha256}
    write_bundle(folder / "bundle", **parts)
    histories = build_histories(dataset)
    view = view_of(dataset, histories, load_bundle(folder / "bundle", dataset))
    return make_report(dataset, histories, view)


def test_words_in_every_title_mark_no_group(tmp_path: Path) -> None:
    movies = [(movie, f"Film {movie} (1990)", genres) for movie, _, genres in LISTED_MOVIES]
    report = tiny_report(tmp_path, two_tastes(), movies)
    findings = {finding.id: finding for finding in report.findings}
    assert findings["segments"].available
    assert findings["words"].sentence == "The groups share the words of their titles and tags."


@pytest.mark.parametrize(
    ("rows", "available"),
    [(two_tastes(), True), (two_tastes()[:5], False)],
    ids=["all", "one-user"],
)
def test_findings_with_a_bundle_and_without_genres(
    root: Path, tmp_path: Path, rows: list[Row], available: bool
) -> None:
    others = [(1000, movie, 4.0, SECOND) for movie, *_ in LISTED_MOVIES] if not available else []
    movies = [(movie, title, "(no genres listed)") for movie, title, _ in LISTED_MOVIES]
    report = tiny_report(tmp_path, [*rows, *others], movies)
    findings = {finding.id: finding for finding in report.findings}
    assert findings["changes"].available == available and "genres" not in findings
    assert findings["segments"].available == available
    assert not available or "“fans of " in findings["segments"].title
    assert html(report).count("<article") == len(findings)


def test_underserved_groups_count_hits_of_the_lists(root: Path, bundle_report: Report) -> None:
    _, _, view = read_view(root)
    finding = next(each for each in bundle_report.findings if each.id == "underserved-groups")
    pairs = zip(view.last_item_U, view.ranked.top, strict=True)
    hit_U = np.array([item in top for item, top in pairs], float)
    hits, errors = (finding.numbers[f"{name}/all users"] for name in ("hit_percent", "star_error"))
    assert isinstance(hits, Interval) and hits.mean == pytest.approx(100 * hit_U.mean())
    error = np.abs(view.expected_rating_U - view.last_rating_U).mean()
    assert isinstance(errors, Interval) and errors.mean == pytest.approx(error)


@pytest.mark.parametrize(
    ("bundle", "reason"), [("everything", "seen the answers"), ("time", "protocol time")]
)
def test_underserved_groups_refuse_a_bundle_that_saw_the_test(
    root: Path, bundle: str, reason: str
) -> None:
    report = make_report(*read_view(root, bundle))
    findings = {finding.id: finding for finding in report.findings}
    assert not findings["underserved-groups"].available
    assert reason in findings["underserved-groups"].sentence
    assert findings["changes"].available


ML_1M = Path(os.environ.get("DATA_ROOT", "data")) / "ml-1m"


def read_dat(path: Path, names: list[str]) -> pd.DataFrame:
    lines = pd.Series(path.read_text(encoding="latin-1").splitlines())
    return lines.str.split("::", expand=True).set_axis(names, axis=1)


@pytest.mark.skipif(not ML_1M.is_dir(), reason=f"no {ML_1M}: set DATA_ROOT to try the real data")
def test_findings_of_ml_1m_agree_with_pandas() -> None:
    dataset = load_dataset("ml-1m")
    report = make_report(dataset, build_histories(dataset)).to_json()
    findings = {finding["id"]: finding for finding in report["findings"]}
    ratings = read_dat(ML_1M / "ratings.dat", ["user", "movie", "stars", "time"])
    ratings = ratings.astype(np.int64)
    movies = read_dat(ML_1M / "movies.dat", ["movie", "title", "genres"])
    movies["movie"] = movies["movie"].astype(np.int64)
    shares = (100 * ratings["stars"].value_counts(normalize=True)).round(2)
    assert report["rating_share_percent"]["1"] == shares[1] == 5.62
    assert findings["ratings"]["value"] == pytest.approx(100 * (ratings["stars"] >= 4).mean(), 1e-5)

    joined = ratings.merge(movies, on="movie")
    rated = movies[movies["movie"].isin(ratings["movie"])]
    for genre in ("Drama", "Comedy", "Film-Noir", "Children's"):
        numbers = findings["genres"]["numbers"]
        has, titles = (each["genres"].str.contains(genre, regex=False) for each in (joined, rated))
        assert numbers[f"ratings_percent/{genre}"] == pytest.approx(100 * has.mean(), 1e-5)
        assert numbers[f"titles_percent/{genre}"] == pytest.approx(100 * titles.mean(), 1e-5)
        stars = joined.loc[has, "stars"]
        expected = (stars.sum() + 10 * ratings["stars"].mean()) / (len(stars) + 10)
        assert numbers[f"mean_stars/{genre}"] == pytest.approx(expected, 1e-5)

    by_user = ratings.groupby("user").size().sort_values(ascending=False)
    top = by_user.iloc[:60].sum() + 0.4 * by_user.iloc[60]  # a hundredth of 6,040 users
    assert findings["skew"]["value"] == pytest.approx(100 * top / len(ratings), 1e-5)
    rising, size = by_user.to_numpy()[::-1], len(by_user)
    gini = 2 * (np.arange(1, size + 1) * rising).sum() / (size * rising.sum()) - (size + 1) / size
    assert findings["skew"]["numbers"]["gini"] == pytest.approx(gini, 1e-5)

    by_movie = ratings.groupby("movie")["stars"].agg(["size", "sum"])
    assert findings["few-ratings"]["value"] == pytest.approx(100 * 114 / 3706, 1e-5)
    assert (by_movie["size"] == 1).sum() == 114
    mean = (by_movie["sum"] + 10 * ratings["stars"].mean()) / (by_movie["size"] + 10)
    assert findings["movies-by-mean"]["value"] == pytest.approx(100 * (mean >= 4).mean(), 1e-5)
    head = by_movie["size"].nlargest(371).sum()
    assert findings["concentration"]["value"] == pytest.approx(100 * head / len(ratings), 1e-5)

    low, high = (ratings["stars"] <= 2), (ratings["stars"] >= 4)
    low, high = (is_so.groupby(ratings["user"]).mean() for is_so in (low, high))
    mean_of = ratings.groupby("user")["stars"].mean()
    wide = (low >= 0.1) & (high >= 0.1) & (high < 0.9) & (mean_of >= 3)
    assert findings["raters"]["value"] == pytest.approx(100 * wide.mean(), 1e-5)
    ids = ("movies-per-year", "ratings-by-year", "sessions", "segments", "underserved-groups")
    assert not any(findings[id]["available"] for id in ids)
    assert "reconstructed" in findings["sessions"]["sentence"]
