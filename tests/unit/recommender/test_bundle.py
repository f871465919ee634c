"""Bundles: round trip, atomic writes, and errors that name the file."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS, read_bundle, write_bundle
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES, tiny_movies, tiny_parts


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))


def test_bundle_round_trips(tmp_path: Path) -> None:
    parts = tiny_parts()
    version = write_bundle(tmp_path / "b", **parts)
    bundle = read_bundle(tmp_path / "b")
    assert bundle.manifest["model_version"] == version
    assert bundle.manifest["history_length"] == 4
    assert bundle.movies.title == [movie[1] for movie in MOVIES]
    assert bundle.encoder == parts["encoder"]
    for name, array in parts["arrays"].items():
        np.testing.assert_array_equal(bundle.arrays[name], array)


def test_model_version_follows_the_content(tmp_path: Path) -> None:
    parts = tiny_parts()
    versions = [write_bundle(tmp_path / name, **parts) for name in ("a", "b")]
    parts["manifest"]["recipe"] = "another"
    assert versions[0] == versions[1] != write_bundle(tmp_path / "c", **parts)


def test_bundle_holds_the_manifest_and_its_parts(bundle_folder: Path) -> None:
    assert sorted(path.name for path in bundle_folder.iterdir()) == sorted([MANIFEST, *PARTS])


@pytest.mark.parametrize("name", [MANIFEST, *PARTS])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_read_bundle_flipped_byte_names_the_file(copy: Path, name: str, place: str) -> None:
    raw = bytearray((copy / name).read_bytes())
    n = {"first": 0, "middle": len(raw) // 2, "last": len(raw) - 1}[place]
    raw[n] ^= 1
    (copy / name).write_bytes(raw)
    with pytest.raises(InputError, match=name):
        read_bundle(copy)


def test_read_bundle_checks_every_byte_of_the_manifest(copy: Path) -> None:
    good = (copy / MANIFEST).read_bytes()
    for n in range(len(good)):
        changed = b"\t" if good[n : n + 1].isspace() else bytes([good[n] ^ 1])
        (copy / MANIFEST).write_bytes(good[:n] + changed + good[n + 1 :])
        with pytest.raises(InputError, match=MANIFEST):
            read_bundle(copy)


@pytest.mark.parametrize("name", [MANIFEST, *PARTS])
def test_read_bundle_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing"):
        read_bundle(copy)


def test_read_bundle_added_file_is_named(copy: Path) -> None:
    (copy / "users.csv").write_text("42\n")
    with pytest.raises(InputError, match=r"users.csv: not part of a bundle"):
        read_bundle(copy)


@pytest.mark.parametrize("name", [MANIFEST, *PARTS])
def test_read_bundle_truncated_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(InputError, match=name):
        read_bundle(copy)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"null", b'{"format": 2, "files": {}}', b"\xff"]
)
def test_read_bundle_invalid_manifest_raises(copy: Path, raw: bytes) -> None:
    (copy / MANIFEST).write_bytes(raw)
    with pytest.raises(InputError, match=MANIFEST):
        read_bundle(copy)


def test_read_bundle_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    message = r"no such bundle folder, expected a bundle; make one with: python train.py"
    with pytest.raises(InputError, match=message):
        read_bundle(tmp_path / "none")


I = len(MOVIES)  # noqa: E741


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        pytest.param("item_bias", np.zeros(I - 1, "f4"), "I = 9, expected 10", id="one-row-short"),
        pytest.param("mlp_out", np.zeros(7, "f4"), "H = 7, expected 3", id="hidden-size"),
        pytest.param("item_bias", np.zeros(I, "f8"), "item_bias is float64", id="float64"),
        pytest.param("item_bias", np.zeros((I, 1), "f4"), "item_bias is float32", id="extra-axis"),
        pytest.param("item_bias", np.full(I, np.nan, "f4"), "item_bias holds NaN", id="nan"),
        pytest.param("star_item", np.zeros((I, 2, 3), "f4"), "E = 3, expected 2|E = 2", id="width"),
        pytest.param("extra", np.zeros(1, "f4"), "extra", id="unknown-array"),
    ],
)
def test_write_bundle_invalid_array_raises(
    tmp_path: Path, name: str, array: np.ndarray, message: str
) -> None:
    parts = tiny_parts()
    parts["arrays"][name] = array
    with pytest.raises(InputError, match=message):
        write_bundle(tmp_path / "b", **parts)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"scale": [5.0, 1.0]}, "scale", id="scale-descends"),
        pytest.param({"history_length": 0}, "history_length 0", id="no-history"),
        pytest.param({"stars": {"mean": 3.5}}, "stars", id="stars-incomplete"),
        pytest.param({"scale": [1.0, 2.0]}, "cuts .* expected 1, ascending", id="cuts"),
    ],
)
def test_write_bundle_invalid_manifest_raises(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    parts = tiny_parts()
    parts["manifest"] |= change
    with pytest.raises(InputError, match=message):
        write_bundle(tmp_path / "b", **parts)


def test_write_bundle_attributes_round_trip_or_raise(tmp_path: Path) -> None:
    values = [None, ["a", "é"], 1.5, *["dk"] * (I - 3)]
    write_bundle(tmp_path / "b", **tiny_parts(), attributes={"country": values})
    assert read_bundle(tmp_path / "b").attributes == {"country": values}
    recommender = Recommender.load(tmp_path / "b")
    response = recommender.recommend(filters={"where": {"country": {"in": ["é", 1.5]}}})
    assert {item["movie_id"] for item in response["items"]} == {6, 10}
    with pytest.raises(InputError, match=r"attributes.json: country: 2 values, expected 10"):
        write_bundle(tmp_path / "c", **tiny_parts(), attributes={"country": [1, 2]})


@pytest.mark.parametrize("text_ids", [False, True], ids=["int", "text"])
def test_write_bundle_movies_in_any_order_round_trip(tmp_path: Path, text_ids: bool) -> None:
    parts = tiny_parts(text_ids=text_ids)
    parts["movies"] = parts["movies"].select(parts["movies"].movie_id[::-1])
    write_bundle(tmp_path / "b", **parts)
    recommender = Recommender.load(tmp_path / "b")
    assert recommender.movie_ids.tolist() == parts["movies"].movie_id.tolist()
    assert recommender.id_type == ("text" if text_ids else "int")


def test_write_bundle_movie_twice_raises(tmp_path: Path) -> None:
    parts = tiny_parts()
    parts["movies"] = tiny_movies().select(np.array([1, 6, 10, 32, 50, 110, 260, 296, 480, 1]))
    with pytest.raises(InputError, match="movie ids, expected one or more, each once"):
        write_bundle(tmp_path / "b", **parts)


def test_write_bundle_transposed_array_round_trips(tmp_path: Path) -> None:
    # safetensors writes the memory of a transposed array, not the array.
    parts = tiny_parts()
    vector = parts["arrays"]["item_vector"]
    parts["arrays"]["item_vector"] = np.asfortranarray(vector)
    write_bundle(tmp_path / "b", **parts)
    np.testing.assert_array_equal(read_bundle(tmp_path / "b").arrays["item_vector"], vector)


def test_write_bundle_replaces_and_leaves_no_temporary(tmp_path: Path) -> None:
    parts = tiny_parts()
    write_bundle(tmp_path / "b", **parts)
    parts["manifest"]["recipe"] = "second"
    write_bundle(tmp_path / "b", **parts)
    assert read_bundle(tmp_path / "b").manifest["recipe"] == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_write_bundle_full_disk_keeps_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tiny_parts()
    version = write_bundle(tmp_path / "b", **parts)

    def raise_full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", raise_full)
    with pytest.raises(InputError, match="No space left"):
        write_bundle(tmp_path / "b", **parts)
    assert read_bundle(tmp_path / "b").manifest["model_version"] == version
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("failing", [1, 2], ids=["moving-the-old", "moving-the-new"])
def test_write_bundle_interrupted_keeps_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    parts = tiny_parts()
    version = write_bundle(tmp_path / "b", **parts)
    targets, rename = [], Path.rename

    def interrupt(self: Path, target: Path) -> Path:
        targets.append(target)
        if len(targets) == failing:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "b", **parts)
    assert read_bundle(tmp_path / "b").manifest["model_version"] == version
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_write_bundle_parent_is_a_file_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_bundle(tmp_path / "file" / "b", **tiny_parts())


def test_write_bundle_keeps_a_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("only copy")
    with pytest.raises(InputError, match="holds files but no bundle"):
        write_bundle(tmp_path, **tiny_parts())
    assert (tmp_path / "thesis.txt").read_text() == "only copy"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"scores": [0.0, 0.0]}, r"golden.json: answer 0 is off by", id="scores"),
        pytest.param(
            {"top": [110, 541]}, r"golden.json: answer 0 is .*, expected \[110, 541\]", id="ids"
        ),
    ],
)
def test_load_wrong_golden_answer_raises(
    bundle_folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    golden = json.loads((bundle_folder / "golden.json").read_text())["queries"]
    write_bundle(tmp_path / "b", **tiny_parts() | {"golden": [golden[0] | change]})
    with pytest.raises(InputError, match=message):
        Recommender.load(tmp_path / "b")


def test_load_golden_scores_may_differ_in_the_fifth_digit(
    bundle_folder: Path, tmp_path: Path
) -> None:
    golden = json.loads((bundle_folder / "golden.json").read_text())["queries"]
    golden[0]["scores"] = [score + 5e-5 for score in golden[0]["scores"]]
    write_bundle(tmp_path / "b", **tiny_parts() | {"golden": golden})
    Recommender.load(tmp_path / "b")


def test_load_invalid_encoder_is_named(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", **tiny_parts() | {"encoder": b"not onnx"})
    with pytest.raises(InputError, match=r"encoder.onnx: ONNX Runtime cannot load it"):
        Recommender.load(tmp_path / "b")


def test_read_bundle_copies_outlive_a_file_overwritten(copy: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    vector = read_bundle(copy).arrays["item_vector"]
    bundle = read_bundle(copy, copies)
    (file,) = copies.iterdir()
    (copy / "arrays.safetensors").write_bytes(b"")
    np.testing.assert_array_equal(bundle.arrays["item_vector"], vector)
    assert file.name == f"{bundle.manifest['files']['arrays.safetensors']}.safetensors"


def test_read_bundle_copies_full_disk_reads_the_file(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("a file where the folder should be")
    bundle = read_bundle(copy, tmp_path / "copies")
    assert bundle.mapping is None
