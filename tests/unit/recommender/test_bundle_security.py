"""Test that a bundle can neither run code nor read a file elsewhere."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.recommender.catalog.split_rows import SplitRows
from marquee.recommender.encoder import Encoder
from marquee.recommender.recommender import Recommender
from tests.support.bundle_signature import sign


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))


class FolderMaker:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_bundle_signed_by_the_test_is_loaded(copy: Path) -> None:
    sign(copy)
    Recommender.load(copy)


@pytest.mark.parametrize("name", PARTS)
def test_bundle_with_a_pickle_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "by a pickle"
    (copy / name).write_bytes(pickle.dumps(FolderMaker(folder)))
    sign(copy)
    with pytest.raises(InputError):
        Recommender.load(copy)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../other.json", "/etc/passwd", "a/../golden.json", "..\\x"])
def test_bundle_that_names_a_file_elsewhere_is_refused(copy: Path, name: str) -> None:
    files = json.loads((copy / MANIFEST).read_text())["files"]
    for changed in (files | {name: "0" * 64}, {name: "0" * 64}):
        sign(copy, changed)
        with pytest.raises(InputError, match=MANIFEST):
            Recommender.load(copy)


@pytest.mark.parametrize("name", [*PARTS, MANIFEST])
def test_bundle_with_a_link_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    """Its target has the right bytes now, and may change."""
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link"):
        Recommender.load(copy)


def test_bundle_folder_may_be_a_link(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(copy)
    assert Recommender.load(tmp_path / "current").model_version


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "/tmp/secret.bin"])
def test_encoder_that_reads_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """ONNX may name files for its weights; ours holds them all."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    weight = np.zeros(2, dtype=np.float32)
    for path in (tmp_path / "secret.bin", tmp_path / "in" / "secret.bin"):
        weight.tofile(path)
    tensor = numpy_helper.from_array(weight, "weight")
    external_data_helper.set_external_data(tensor, place)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weight"], ["y"])],
        "reads",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [tensor],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with pytest.raises(InputError, match="cannot load"):
        Encoder(model.SerializeToString(), SplitRows(np.zeros((1, 2), np.float32)), 4, 1)
