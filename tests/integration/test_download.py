"""Downloads from a local server: checked, retried, complete or absent."""

import hashlib
import io
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.movielens import download
from marquee.data.movielens.download import locate

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
        self.requests: list[str] = []

    def serve_zip(self, content: bytes, md5: str | None = None) -> None:
        self.answers[f"/{NAME}.zip"] = [content]
        digest = md5 or hashlib.md5(content).hexdigest()
        self.answers[f"/{NAME}.zip.md5"] = [f"{digest}  {NAME}.zip\n".encode()]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
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
    local = Server()
    thread = threading.Thread(target=local.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("MOVIELENS_URL", f"http://127.0.0.1:{local.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    yield local
    local.shutdown()
    thread.join()
    local.server_close()


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_locate_missing_data_set_downloads_it(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.serve_zip(GOOD_ZIP)
    root = tmp_path / "not" / "there" / "yet"
    assert load_dataset(NAME, root).movies.title == ["Heat"]
    assert names_in(root) == [NAME]
    assert names_in(root / NAME) == ["movies.csv", "ratings.csv"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1  # no terminal: no bar
    assert lines[0].startswith("Downloading http://127.0.0.1:")


class Terminal(io.StringIO):
    """Collects what is printed, and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_download_on_a_terminal_shows_a_progress_bar(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    server.serve_zip(GOOD_ZIP)
    locate(NAME, tmp_path)
    assert f"{NAME}.zip" in terminal.getvalue()
    assert "100%|" in terminal.getvalue()


def test_locate_existing_files_sends_no_request(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    locate(NAME, tmp_path)
    server.requests.clear()
    (tmp_path / NAME / "ratings.csv").write_text(RATINGS + "1,11,4.0,964982703\n")
    # Changed files are used as they are.
    assert len(load_dataset(NAME, tmp_path).histories.item) == 2
    assert server.requests == []


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(break_off, id="breaks-off"),
        pytest.param(503, id="server-error"),
        pytest.param(GOOD_ZIP[:-1] + b"x", id="wrong-checksum"),
        pytest.param(b"<html>busy</html>", id="no-zip"),
    ],
)
def test_download_broken_once_starts_again(
    server: Server, tmp_path: Path, first: bytes | int | Callable[[Handler], None]
) -> None:
    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"].insert(0, first)
    assert locate(NAME, tmp_path) == tmp_path / NAME
    assert server.requests.count(f"/{NAME}.zip") == 2
    assert names_in(tmp_path) == [NAME]


@pytest.mark.parametrize(
    ("content", "md5", "sentence"),
    [
        pytest.param(GOOD_ZIP, "0" * 32, "expected md5:" + "0" * 32, id="wrong-checksum"),
        pytest.param(b"no zip", None, "File is not a zip file", id="no-zip"),
        pytest.param(GOOD_ZIP, "none", "zip.md5: no checksum, expected", id="no-checksum"),
    ],
)
def test_download_broken_thrice_names_reason_and_leaves_nothing(
    server: Server, tmp_path: Path, content: bytes, md5: str | None, sentence: str
) -> None:
    server.serve_zip(content, md5)
    with pytest.raises(InputError, match="not downloaded in 3 attempts") as error:
        locate(NAME, tmp_path)
    assert sentence in str(error.value)
    assert "MOVIELENS_URL" in str(error.value)
    assert names_in(tmp_path) == []


def test_download_cut_off_thrice_names_bytes(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"] = [break_off]
    half = len(GOOD_ZIP) // 2
    missing = len(GOOD_ZIP) - half
    with pytest.raises(InputError, match=f"{half} bytes read, {missing} more expected"):
        locate(NAME, tmp_path)
    assert names_in(tmp_path) == []


def test_download_404_is_not_retried(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the server answers 404"):
        locate(NAME, tmp_path)
    assert len(server.requests) == 1
    assert names_in(tmp_path) == []


def test_download_unreachable_server_is_an_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIELENS_URL", "http://127.0.0.1:1")
    with pytest.raises(InputError, match=r"not downloaded .*Connection refused"):
        locate(NAME, tmp_path)
    monkeypatch.setenv("MOVIELENS_URL", "file:///etc")
    with pytest.raises(InputError, match="expected an http:// or https:// address"):
        locate(NAME, tmp_path)


def test_download_from_mirror_checks_the_known_md5(server: Server, tmp_path: Path) -> None:
    server.answers["/ml-1m.zip"] = [GOOD_ZIP]
    with pytest.raises(InputError, match="expected md5:c4d9eecfca2ab87c1945afe126590906"):
        locate("ml-1m", tmp_path)
    assert server.requests == ["/ml-1m.zip"] * 3


@pytest.mark.parametrize(
    "member",
    [
        "../evil.txt",
        "/evil.txt",
        "a/../../evil.txt",
        "..\\evil.txt",
        f"{NAME}/../../evil.txt",
        f"{NAME}/../../../evil.txt",
    ],
)
def test_unzip_writes_nothing_outside_the_folder(
    server: Server, tmp_path: Path, member: str
) -> None:
    files = {f"{NAME}/ratings.csv": RATINGS, f"{NAME}/movies.csv": MOVIES}
    server.serve_zip(zip_of({**files, member: "x"}))
    root = tmp_path / "root"
    locate(NAME, root)
    assert names_in(root / NAME) == ["movies.csv", "ratings.csv"]
    assert names_in(root) == [NAME]
    assert names_in(tmp_path) == ["root"]


def test_unzip_takes_the_folder_of_the_data_set_alone(server: Server, tmp_path: Path) -> None:
    files = {f"{NAME}/ratings.csv": RATINGS, f"{NAME}/movies.csv": MOVIES, f"{NAME}/a/b.txt": "b"}
    server.serve_zip(zip_of({**files, "__MACOSX/x": "x", f"{NAME}2/ratings.csv": "x"}))
    locate(NAME, tmp_path)
    assert names_in(tmp_path) == [NAME]
    assert names_in(tmp_path / NAME) == ["a", "movies.csv", "ratings.csv"]


def test_zip_of_another_data_set_is_refused(server: Server, tmp_path: Path) -> None:
    server.serve_zip(zip_of({"other/ratings.csv": RATINGS}))
    with pytest.raises(InputError, match=f"no {NAME}/ratings.csv in it"):
        locate(NAME, tmp_path)
    assert names_in(tmp_path) == []


def test_zip_of_ml_10m_has_a_folder_of_another_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"ml-10M100K/ratings.dat": "1::10::4.5::5\n", "ml-10M100K/movies.dat": "10::Heat::\n"}
    content = zip_of(files)
    server.answers["/ml-10m.zip"] = [content]
    monkeypatch.setitem(download.ZIP_MD5, "ml-10m", hashlib.md5(content).hexdigest())
    assert locate("ml-10m", tmp_path) == tmp_path / "ml-10m"
    assert names_in(tmp_path) == ["ml-10m"]
    assert names_in(tmp_path / "ml-10m") == ["movies.dat", "ratings.dat"]


def test_locate_empty_folder_downloads_into_it(server: Server, tmp_path: Path) -> None:
    server.serve_zip(GOOD_ZIP)
    (tmp_path / NAME).mkdir()
    assert (locate(NAME, tmp_path) / "ratings.csv").is_file()


@pytest.mark.parametrize("errno_text", ["No space left on device", "Read-only file system"])
def test_locate_full_or_read_only_disk_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno_text: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, errno_text)

    server.serve_zip(GOOD_ZIP)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", fail)
    with pytest.raises(
        InputError, match=rf"cannot be written \({errno_text}\), expected .*; free some"
    ):
        locate(NAME, tmp_path)
    assert names_in(tmp_path) == []


def test_interrupted_unzip_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(archive: zipfile.ZipFile, path: str, **options: object) -> None:
        (Path(path) / NAME).mkdir()
        (Path(path) / NAME / "ratings.csv").write_text(RATINGS[:20])
        raise KeyboardInterrupt

    server.serve_zip(GOOD_ZIP)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", interrupt)
    with pytest.raises(KeyboardInterrupt):
        locate(NAME, tmp_path)
    assert names_in(tmp_path) == []


def test_locate_twice_at_once_ends_with_one_folder(server: Server, tmp_path: Path) -> None:
    both_requests = threading.Barrier(2, timeout=10)

    def answer_both(handler: Handler) -> None:
        both_requests.wait()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(GOOD_ZIP)))
        handler.end_headers()
        handler.wfile.write(GOOD_ZIP)

    server.serve_zip(GOOD_ZIP)
    server.answers[f"/{NAME}.zip"] = [answer_both]
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(locate, [NAME] * 2, [tmp_path] * 2, timeout=30))
    assert folders == [tmp_path / NAME] * 2
    assert names_in(tmp_path) == [NAME]
