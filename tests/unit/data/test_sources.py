"""Downloads, against a server of our own: checked, retried, never half there."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.data import download, sources
from marquee.data.dataset import load_dataset
from marquee.data.sources import DATASETS, data_root, locate

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n"
MOVIES = "movieId,title,genres\n10,Heat (1995),Action\n"
NAME = "ml-latest-small"


def zip_of(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return content.getvalue()


GOOD_ZIP = zip_of({f"{NAME}/ratings.csv": RATINGS, f"{NAME}/movies.csv": MOVIES})


class Server(ThreadingHTTPServer):
    """Answers from `answers`: path -> one answer a request, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[bytes | int | Callable[[Handler], None]]] = {}
        self.asked: list[str] = []

    def serve_zip(self, content: bytes, md5: str | None = None) -> None:
        self.answers[f"/{NAME}.zip"] = [content]
        digest = md5 or hashlib.md5(content).hexdigest()
        self.answers[f"/{NAME}.zip.md5"] = [f"{digest}  {NAME}.zip\n".encode()]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers.get(self.path, [404])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        pass


def break_off(handler: Handler) -> None:
    """Promise the zip and close the connection halfway."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(GOOD_ZIP)))
    handler.end_headers()
    handler.wfile.write(GOOD_ZIP[: len(GOOD_ZIP) // 2])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    started = Server()
    thread = threading.Thread(target=started.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("MOVIELENS_URL", f"http://127.0.0.1:{started.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    yield started
    started.shutdown()
    thread.join()
    started.server_close()


def left_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_missing_data_set_is_downloaded_and_read(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.serve_zip(GOOD_ZIP)
    root = tmp_path / "not" / "there" / "yet"
    assert load_dataset(NAME, root).movies.title == ["Heat"]
    assert left_in(root) == [NAME]
    assert left_in(root / NAME) == ["movies.csv", "ratings.csv"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1  # no terminal: one line instead of a bar
    assert lines[0].startswith("Downloading http://127.0.0.1:")


def test_a_terminal_gets_a_progress_bar(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take stderr for a terminal
    server.serve_zip(GOOD_ZIP)
    locate(NAME, tmp_path)
    shown = capsys.readouterr().err
    assert f"{NAME}.zip" in shown
    assert "━" in shown
    assert "Downloading" not in shown


def test_what_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    locate(NAME, tmp_path)
    server.asked.clear()
    (tmp_path / NAME / "ratings.csv").write_text(RATINGS + "1,11,4.0,964982703\n")
    assert (
        len(load_dataset(NAME, tmp_path).interactions) == 2
    )  # changed files are taken as they are
    assert server.asked == []


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(break_off, id="breaks-off"),
        pytest.param(503, id="server-error"),
        pytest.param(GOOD_ZIP[:-1] + b"x", id="wrong-checksum"),
        pytest.param(b"<html>busy</html>", id="no-zip"),
    ],
)
def test_a_broken_download_is_removed_and_tried_again(
    server: Server, tmp_path: Path, first: bytes | int | Callable[[Handler], None]
) -> None:
    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"].insert(0, first)
    assert locate(NAME, tmp_path) == tmp_path / NAME
    assert server.asked.count(f"/{NAME}.zip") == 2
    assert left_in(tmp_path) == [NAME]


@pytest.mark.parametrize(
    ("content", "md5", "sentence"),
    [
        pytest.param(GOOD_ZIP, "0" * 32, "expected " + "0" * 32, id="wrong-checksum"),
        pytest.param(b"no zip", None, "it is no complete zip file", id="no-zip"),
        pytest.param(GOOD_ZIP, "none", "zip.md5: no checksum, expected", id="no-checksum"),
    ],
)
def test_after_three_tries_it_says_why_and_leaves_nothing(
    server: Server, tmp_path: Path, content: bytes, md5: str | None, sentence: str
) -> None:
    server.serve_zip(content, md5)
    with pytest.raises(InputError, match="not downloaded in 3 attempts") as error:
        locate(NAME, tmp_path)
    assert sentence in str(error.value)
    assert "MOVIELENS_URL" in str(error.value)
    assert left_in(tmp_path) == []


def test_an_old_server_breaking_off_three_times(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"] = [break_off]
    half, whole = len(GOOD_ZIP) // 2, len(GOOD_ZIP)
    with pytest.raises(InputError, match=f"it broke off after {half} bytes, expected {whole}"):
        locate(NAME, tmp_path)
    assert left_in(tmp_path) == []


def test_a_file_that_the_server_does_not_have_is_not_retried(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the server answers 404"):
        locate(NAME, tmp_path)
    assert len(server.asked) == 1
    assert left_in(tmp_path) == []


def test_nobody_answers(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIELENS_URL", "http://127.0.0.1:1")
    with pytest.raises(InputError, match="the server cannot be reached"):
        locate(NAME, tmp_path)
    monkeypatch.setenv("MOVIELENS_URL", "file:///etc")
    with pytest.raises(InputError, match="expected an http:// or https:// address"):
        locate(NAME, tmp_path)


def test_the_known_checksum_binds_a_mirror_too(server: Server, tmp_path: Path) -> None:
    server.answers["/ml-1m.zip"] = [GOOD_ZIP]
    with pytest.raises(InputError, match="expected c4d9eecfca2ab87c1945afe126590906"):
        locate("ml-1m", tmp_path)
    assert server.asked == ["/ml-1m.zip"] * 3


@pytest.mark.parametrize("member", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt"])
def test_a_zip_that_writes_elsewhere_is_refused(
    server: Server, tmp_path: Path, member: str
) -> None:
    server.serve_zip(zip_of({f"{NAME}/ratings.csv": RATINGS, member: "x"}))
    root = tmp_path / "root"
    with pytest.raises(InputError, match="would write outside its folder"):
        locate(NAME, root)
    assert left_in(root) == []
    assert left_in(tmp_path) == ["root"]


def test_a_zip_of_something_else_is_refused(server: Server, tmp_path: Path) -> None:
    server.serve_zip(zip_of({"other/ratings.csv": RATINGS}))
    with pytest.raises(InputError, match=f"no {NAME}/ratings.csv in it"):
        locate(NAME, tmp_path)
    assert left_in(tmp_path) == []


def test_a_folder_without_its_files_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "movies.csv").write_text(MOVIES)
    with pytest.raises(
        InputError, match=r"ratings\.csv missing, expected in the folder; move it away"
    ):
        locate(NAME, tmp_path)
    assert left_in(tmp_path / NAME) == ["movies.csv"]
    assert server.asked == []


def test_an_empty_folder_is_filled(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    (tmp_path / NAME).mkdir()
    assert (locate(NAME, tmp_path) / "ratings.csv").is_file()


def test_a_root_that_is_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    for name in (NAME, "demo"):
        with pytest.raises(InputError, match=r"cannot be written .* DATA_ROOT"):
            locate(name, tmp_path / "root")


@pytest.mark.parametrize("errno_text", ["No space left on device", "Read-only file system"])
def test_a_full_or_read_only_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno_text: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, errno_text)

    server.serve_zip(GOOD_ZIP)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", fail)
    with pytest.raises(
        InputError, match=rf"cannot be written \({errno_text}\), expected .*; free some"
    ):
        locate(NAME, tmp_path)
    assert left_in(tmp_path) == []


def test_ctrl_c_leaves_no_half_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(archive: zipfile.ZipFile, folder: Path) -> None:
        (folder / NAME).mkdir()
        (folder / NAME / "ratings.csv").write_text(RATINGS[:20])
        raise KeyboardInterrupt

    server.serve_zip(GOOD_ZIP)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", interrupt)
    with pytest.raises(KeyboardInterrupt):
        locate(NAME, tmp_path)
    assert left_in(tmp_path) == []


def test_two_at_once_end_with_one_whole_folder(server: Server, tmp_path: Path) -> None:
    both_ask = threading.Barrier(2, timeout=10)

    def together(handler: Handler) -> None:
        both_ask.wait()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GOOD_ZIP)))
        handler.end_headers()
        handler.wfile.write(GOOD_ZIP)

    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"] = [together]
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(locate(NAME, tmp_path))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / NAME] * 2
    assert left_in(tmp_path) == [NAME]


def test_the_root_is_the_argument_else_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("DATA_ROOT", "/elsewhere")
    assert data_root() == Path("/elsewhere")
    assert data_root("here") == Path("here")


def test_the_official_address_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOVIELENS_URL", raising=False)
    assert sources.base_url() == "https://files.grouplens.org/datasets/movielens"
    names = {name: source.zip_name for name, source in DATASETS.items() if source.zip_name}
    assert names == {name: f"{name}.zip" for name in DATASETS if name != "demo"}
