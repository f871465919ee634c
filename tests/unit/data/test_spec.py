"""Options of `marquee data add`: values, contradictions, and their file."""

import re
from pathlib import Path

import pytest
import yaml

from marquee.core.errors import InputError
from marquee.data.spec import DatasetSpec, FeatureSpec, parse_feature, split_column
from marquee.data.spec_file import read_spec, spec_of, spec_settings, write_spec

PLAYS = {"interactions": "plays.csv", "user": "account", "item": "asset"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"interactions": []}, "--interactions: not given", id="no-interactions"),
        pytest.param({"time": "account"}, "--user and --time: column 'account'", id="one-column"),
        pytest.param({"watched": "w", "watched-seconds": "s", "duration": "d"},
                     "--watched and --watched-seconds are given", id="two-shares"),
        pytest.param({"watched-seconds": "s"}, "--watched-seconds without --duration", id="share"),
        pytest.param({"kinds": "play=watch"}, "--kinds without --kind", id="kinds"),
        pytest.param({"kind": "k", "kinds": "play=seen"}, "--kinds play=seen", id="meaning"),
        pytest.param({"kind": "k", "kinds": "like=rating:five"}, "rating:NUMBER", id="no-number"),
        pytest.param({"kind": "k", "kinds": "vote=rating"}, "without --rating", id="no-rating"),
        pytest.param({"title": "name"}, "--title without --items", id="title"),
        pytest.param({"items": "i.csv", "feature": "plan"}, "not a feature", id="feature"),
        pytest.param({"items": "i.csv", "feature": "plan=p:number:,"}, "a separator with type",
                     id="feature-separator"),
        pytest.param({"items": "i.csv", "feature": ["a=b:text", "a=c:text"]}, "'a' twice",
                     id="feature-twice"),
        pytest.param({"users": "u.csv"}, "--users without --user-feature", id="users"),
        pytest.param({"time": "t", "ordered": True}, "--time and --ordered", id="ordered"),
        pytest.param({"interactions": "postgresql://db/x"}, "--query", id="no-query"),
        pytest.param({"query": "SELECT 1"}, "only one of a database and a query", id="query"),
        pytest.param({"encoding": "utf-9"}, "'utf-9' is unknown", id="encoding"),
        pytest.param({"header": "a,b,a"}, "'a' twice", id="header"),
        pytest.param({"max-rejected": 1}, "a share from 0 to below 1", id="share-of-one"),
        pytest.param({"memory-limit": "4"}, "a size such as 4GB", id="memory"),
        pytest.param({"repeats": "first"}, "expected one of last, sum, keep", id="repeats"),
        pytest.param({"test-interactions": "plays.csv"}, "plays.csv in both", id="test-is-train"),
        pytest.param({"valid-interactions": "v.csv"}, "without --test-interactions", id="valid"),
        pytest.param({"ordered": "yes"}, "expected true or false", id="flag"),
        pytest.param({"user": ["a", "b"]}, "expected one value", id="list"),
    ],
)  # fmt: skip
def test_spec_with_contradiction_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        spec_of({**PLAYS, **settings})


def test_spec_with_unknown_option_names_the_closest() -> None:
    with pytest.raises(InputError, match=r"unknown option 'usr', expected one of .*is it user\?"):
        spec_of({**PLAYS, "usr": "account"})


def test_spec_file_round_trips(tmp_path: Path) -> None:
    spec = spec_of(
        {
            **PLAYS,
            "kind": "event",
            "kinds": "play=watch,like=rating:5",
            "items": ["titles.csv"],
            "genres": "genres:;",
            "feature": ["cast=cast:categories:,", "plot=synopsis:text"],
            "header": "account,asset,event",
            "ordered": True,
            "max-rejected": "0.001",
        }
    )
    write_spec(spec, tmp_path / "mine" / "dataset.yaml")
    read = read_spec(tmp_path / "mine" / "dataset.yaml")
    assert spec_settings(read) == spec_settings(spec)
    assert read.max_rejected == 0.001
    assert read.kinds == {"play": "watch", "like": "rating:5"}


def test_spec_file_paths_stand_on_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = DatasetSpec(
        interactions=("plays.csv", "/lake/*.csv", "s3://lake/plays/"), user="account", item="asset"
    )
    write_spec(spec, "data/mine/dataset.yaml")
    written = yaml.safe_load(Path("data/mine/dataset.yaml").read_text())["interactions"]
    assert written == ["../../plays.csv", "/lake/*.csv", "s3://lake/plays/"]
    monkeypatch.chdir("data")
    paths = read_spec("mine/dataset.yaml").interactions
    assert Path(paths[0]).resolve() == tmp_path / "plays.csv"
    assert paths[1:] == ("/lake/*.csv", "s3://lake/plays/")


def test_spec_file_holds_no_password(tmp_path: Path) -> None:
    address = "postgresql://reader:hush@db:5432/shop?sslmode=require&password=hush"
    spec = DatasetSpec(interactions=(address,), query="SELECT 1", user="a", item="b")
    write_spec(spec, tmp_path / "dataset.yaml")
    assert "hush" not in (tmp_path / "dataset.yaml").read_text()
    read = read_spec(tmp_path / "dataset.yaml")
    assert read.interactions == ("postgresql://reader@db:5432/shop?sslmode=require",)
    assert spec_settings(read) == spec_settings(spec)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\x00"], ids=["list", "broken", "nul"])
def test_spec_file_without_options_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml: .*expected `option: value` lines"):
        read_spec(tmp_path / "mine.yaml")


def test_parse_feature_column_may_hold_colons() -> None:
    feature = parse_feature("cast=dc:creator:categories:,")
    assert feature == FeatureSpec("cast", "dc:creator", "categories", ",")


def test_split_column_separator_may_be_a_colon() -> None:
    assert split_column("genres::") == ("genres", ":")
    assert split_column("genres") == ("genres", None)
