"""Generated tables of the documents: their cells, their markers, their drift from results/."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.tables.__main__ import DOCUMENTS, main
from docs.tables.ablations import ablation_tables
from docs.tables.markdown import replace_section
from docs.tables.rerank_tradeoff import controls_tables
from docs.tables.results import (
    HEADLINE,
    METRICS,
    PublishedFigure,
    best_published,
    headline_table,
    published_table,
    read_published,
    results_tables,
)
from marquee.core.errors import InputError
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.results import write_results
from tests.support.paths import ROOT


def section(*names: str, mean: float) -> dict[str, dict[str, float]]:
    return {name: {"mean": mean, "low": mean - 0.01, "high": mean + 0.01} for name in names}


def result(data: str, protocol: str, mean: float = 0.25, **more: Any) -> dict[str, Any]:
    metrics = section(*PROTOCOLS[protocol].metrics, mean=mean)
    return {
        "data": data,
        "recipe": f"recipes/{data}.yaml"
        if protocol == "next"
        else f"recipes/{data}.{protocol}.yaml",
        "protocol": protocol,
        "metrics": metrics,
        "baselines": {"popularity": metrics, "ials": section(*metrics, mean=0.3)},
        "commit": "0123456789",
        "seeds": [0, 1],
        **more,
    }


def variant(name: str, mean: float, diff: float, half: float) -> dict[str, Any]:
    difference = {"diff": diff, "low": diff - half, "high": diff + half}
    content = result("ml-100k", "next", mean, variant={"name": name, "of": "ml-100k"})
    return content | {"paired": {"full": {"ndcg@10": difference}}}


def published(**fields: Any) -> PublishedFigure:
    common = {"data": "ml-1m", "protocol": "next", "source": "a paper"}
    return PublishedFigure(**common | fields)


def test_results_tables_show_the_two_metrics_of_each_protocol(tmp_path: Path) -> None:
    write_results(tmp_path, "ml-x", "new-movies", result("ml-x", "new-movies"))
    holdout = result("ml-x", "new-users")
    users = result("ml-x", "new-users", random_holdout=holdout)
    write_results(tmp_path, "ml-x", "new-users", users)
    shuffled = section("hit_rate@10", "ndcg@10", mean=0.1)
    write_results(tmp_path, "ml-x", "next", result("ml-x", "next", order_shuffled=shuffled))
    tables = results_tables(tmp_path).split("\n\n")
    assert [table.splitlines()[0] for table in tables] == [
        "| result |  | hit_rate@10 | ndcg@10 | commit | seeds |",
        "| result |  | ndcg@100 | recall@20 | commit | seeds |",
        "| result |  | auc | hit_rate@10 | commit | seeds |",
    ]
    metrics = "**.250** [.240, .260] | **.250** [.240, .260]"
    assert f"| ml-x `next` | model | {metrics} | 0123456 | 0, 1 |" in tables[0]
    assert "|  | order shuffled | .100 [.090, .110] | .100 [.090, .110] |  |  |" in tables[0]
    assert f"| the same, a random 20% | model | {metrics} |  |  |" in tables[1]
    assert tables[1].index("ials") < tables[1].index("popularity")
    assert "order shuffled" not in tables[1] + tables[2]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(variant("without-a", 0.13, 0.01, 0.005), id="variant"),
        pytest.param(result("demo", "next"), id="demo-data"),
        pytest.param({"protocol": "next", "data": "ml-1m"}, id="no-baselines"),
        pytest.param({"rows": []}, id="benchmark"),
    ],
)
def test_results_tables_show_fits_of_real_data_alone(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    write_results(tmp_path, "other", "next", content)
    assert results_tables(tmp_path) == ""


def write_headline(folder: Path, figures: list[dict[str, Any]]) -> None:
    for data, protocol, _ in HEADLINE:
        write_results(folder, data, protocol, result(data, protocol))
    (folder / "published.yaml").write_text(yaml.safe_dump(figures))


def test_headline_table_has_ours_baseline_and_published(tmp_path: Path) -> None:
    figure = {"data": "ml-1m", "protocol": "next", "model": "X", "source": "a paper"}
    write_headline(tmp_path, [figure | {"metrics": {"hit_rate@10": 0.2, "ndcg@10": 0.1}}])
    head, _, *rows = headline_table(tmp_path).splitlines()
    assert head.startswith("| data, protocol | metric | Marquee [95% interval] |")
    assert len(rows) == 6
    metric = "**.250** [.240, .260]"
    assert (
        rows[0] == f"| ml-1m `next` | hit_rate@10 | {metric} | .300 (ials) | .200 (X) | 0123456 |"
    )
    rmse = f"| ml-1m `stars` | rmse | {metric} | .250 (popularity) | none | 0123456 |"
    assert rows[4] == rmse, "of an error the smallest is the best"


def test_best_published_names_conditions_and_skips_other_tests() -> None:
    figures = [
        published(model="A", metrics={"ndcg@10": 0.1, "rmse": 0.9}),
        published(model="B", metrics={"ndcg@10": 0.2, "rmse": 0.8}),
        published(model="C", metrics={"ndcg@10": 0.3, "rmse": 0.7}, condition="told the time"),
        published(model="D", metrics={"ndcg@10": 0.4, "rmse": 0.6}, comparable=False),
    ]
    assert best_published(figures, "ndcg@10") == ".200 (B); .300 (C: told the time)"
    assert best_published(figures, "rmse") == ".800 (B); .700 (C: told the time)"
    assert best_published(figures[3:], "ndcg@10") == "none"


def test_published_table_starts_each_group_with_ours(tmp_path: Path) -> None:
    common = {"protocol": "next", "metrics": {"ndcg@10": 0.1857}, "source": "a paper"}
    figures = [
        common | {"data": "ml-1m", "model": "A", "condition": "told the time"},
        common | {"data": "ml-1m", "model": "B"},
    ]
    write_headline(tmp_path, figures)
    assert published_table(tmp_path).splitlines()[2:] == [
        "| ml-1m `next` | **Marquee** | ndcg@10 .25 |  | `results/ml-1m.next.json` |",
        "|  | A | ndcg@10 .1857 | told the time | a paper |",
        "|  | B | ndcg@10 .1857 |  | a paper |",
    ]


def test_metrics_of_tables_are_those_of_the_protocol() -> None:
    for name, metrics in METRICS.items():
        assert set(metrics) <= set(PROTOCOLS[name].metrics)


def test_published_figures_are_of_known_protocols_and_metrics() -> None:
    for figure in read_published(ROOT / "results"):
        assert figure.metrics.keys() <= set(PROTOCOLS[figure.protocol].metrics), figure.model
        assert figure.source and all(0 < value < 1 for value in figure.metrics.values())
        assert figure.condition or figure.comparable, "another test has a condition"


def test_ablation_table_orders_variants_worst_first(tmp_path: Path) -> None:
    shuffled = section("ndcg@10", mean=0.05)
    write_results(
        tmp_path, "ml-100k", "next", result("ml-100k", "next", 0.12, order_shuffled=shuffled)
    )
    for name, mean, diff, half in (
        ("without-a", 0.13, 0.01, 0.005),
        ("without-b", 0.07, -0.05, 0.02),
        ("without-c", 0.119, -0.001, 0.003),
        ("without-d", 0.15, 0.02, 0.01),  # .15 - .12 is not .02: the full model is another
    ):
        write_results(tmp_path, f"{name}-ml-100k", "next", variant(name, mean, diff, half))
    page = ablation_tables(tmp_path)
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert "## ml-100k `next`" in page
    assert [(line[0], *line[3:]) for line in lines[2:]] == [
        ("| **full model**", "", "", ".050 [.040, .060]", "0123456", "0, 1 |"),
        ("| without-b", "-.050 [-.070, -.030]", "worse", "", "0123456", "0, 1 |"),
        ("| without-c", "-.001 [-.004, +.002]", "no difference shown", "", "0123456", "0, 1 |"),
        ("| without-a", "+.010 [+.005, +.015]", "better", "", "0123456", "0, 1 |"),
        ("| without-d", "+.020 [+.010, +.030]", "compare again", "", "0123456", "0, 1 |"),
    ]


def test_tables_without_results_say_so(tmp_path: Path) -> None:
    assert ablation_tables(tmp_path) == "\nNone has been published yet.\n\n"
    assert controls_tables(tmp_path) == "\nNone has been published yet.\n\n"


def test_control_table_shows_the_published_strength_in_bold() -> None:
    page = controls_tables(ROOT / "results")
    assert "## ml-1m `next`, 6,040 users\n" in page
    assert "| **0.35** | 0.337 | 0.203 | 0.983 [0.976, 0.989] |" in page
    assert page.count("| 0 | 0.349 |") == 4, "the plain list, once a control"


def test_replace_section_keeps_the_text_around_it() -> None:
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert replace_section(page, "x", "new \\1\n", Path("page.md")) == (
        "a\n<!-- x -->\nnew \\1\n<!-- /x -->\nb\n"
    )


@pytest.mark.parametrize("page", ["", "<!-- x -->\n", "<!-- /x -->", "<!-- /x -->\n<!-- x -->\n"])
def test_replace_section_without_both_markers_names_the_document(page: str) -> None:
    with pytest.raises(InputError, match=r"page.md: no section from <!-- x --> to <!-- /x -->"):
        replace_section(page, "x", "new", Path("page.md"))


def test_command_check_fails_until_the_document_is_renewed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "controls.md"
    page.write_text("<!-- controls -->\n<!-- /controls -->\n")
    args = ["controls", f"--results={ROOT / 'results'}", f"--document={page}"]
    assert main([*args, "--check"]) == 1
    assert f"{page} differs" in capsys.readouterr().out
    assert page.read_text() == "<!-- controls -->\n<!-- /controls -->\n"
    assert main(args) == 0
    assert main([*args, "--check"]) == 0
    page.with_suffix(".svg").write_text("another plot")
    assert main([*args, "--check"]) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(["unknown"], "invalid choice: 'unknown'", id="unknown-document"),
        pytest.param(["--document=page.md"], "expected one of readme, evaluation", id="no-name"),
    ],
)
def test_command_refuses_wrong_arguments(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    assert message in capsys.readouterr().err


def test_command_names_the_document_without_its_marker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marker")
    assert main(["readme", f"--results={ROOT / 'results'}", f"--document={page}"]) == 2
    assert f"{page}: no section from <!-- headline -->" in capsys.readouterr().err


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_hold_the_tables_of_results(name: str) -> None:
    contents = DOCUMENTS[name].contents(ROOT / DOCUMENTS[name].path, ROOT / "results")
    assert contents == {path: path.read_text() for path in contents}, "run: make doc-tables"
