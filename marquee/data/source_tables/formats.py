"""Tell a file's format by its first bytes: text, JSON, Parquet; packed or not."""

import bz2
import gzip
import lzma
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from marquee.core.errors import InputError
from marquee.data.source_tables.partitions import copy_path
from marquee.data.source_tables.table import LocalFile

Format = Literal["text", "json", "json-array", "json-objects", "parquet"]
HEAD_BYTES = 1 << 16
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ": "xz",
          b"PK\x03\x04": "zip"}  # fmt: skip
DUCKDB_PACKED = ("none", "gzip", "zstd")
"""Forms that DuckDB unpacks while it reads."""
UNREADABLE = {
    b"SQLite format 3": "an SQLite database",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
    b"PAR1": "half a Parquet file",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML file",
}
ZIP_MEMBERS = {
    ".npy": "numpy arrays; convert them as recipes/convert/polimi.py does",
    ".xml": "an Excel or office file; save it as CSV",
}
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


class Known(NamedTuple):
    """A file whose form is known, unpacked where DuckDB cannot do that."""

    file: LocalFile
    path: Path  # of what is read: the file itself, or a copy
    packed: str  # one of DUCKDB_PACKED
    format: Format
    head: bytes  # its first bytes, unpacked


def recognise(file: LocalFile, *, option: str, folder: Path) -> Known:
    """Return what a file is. folder: takes an unpacked copy of a zip, bz2 or xz file."""
    with file.path.open("rb") as stream:
        start = stream.read(16)
    packed = next((name for magic, name in PACKED.items() if start.startswith(magic)), "none")
    path = file.path
    try:
        if packed not in DUCKDB_PACKED:
            path, packed = _unpack(file, packed, option, folder), "none"
        with open_bytes(path, packed) as stream:
            head = stream.read(HEAD_BYTES)
    except DAMAGED as error:
        raise InputError(
            f"{option} {file.name}: cannot be unpacked ({error}), expected a whole {packed} file; "
            "copy it again"
        ) from error
    return Known(file, path, packed, _format(head, path, f"{option} {file.name}"), head)


def open_bytes(path: Path, packed: str) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    if packed == "gzip":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if packed == "zstd":
        import pyarrow as pa

        stream: Any = pa.input_stream(str(path), compression="zstd")
        return stream
    return path.open("rb")


def _format(head: bytes, path: Path, subject: str) -> Format:
    if head.startswith(b"PAR1"):
        with path.open("rb") as stream:
            stream.seek(max(path.stat().st_size - 4, 0))
            if stream.read() == b"PAR1":
                return "parquet"
    for magic, what in UNREADABLE.items():
        if head.startswith(magic):
            raise InputError(
                f"{subject}: {what}, expected CSV, JSON lines or Parquet; convert it first"
            )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        first, line_end, _ = text.partition(b"\n")
        goes_on = first.rstrip().endswith((b"{", b"[", b","))
        is_long = not line_end and len(head) == HEAD_BYTES
        return "json-objects" if goes_on or is_long else "json"
    return "json-array" if text.startswith(b"[") and text[1:].lstrip().startswith(b"{") else "text"


def _unpack(file: LocalFile, packed: str, option: str, folder: Path) -> Path:
    target = copy_path(folder, file.name)
    with target.open("wb") as copy:
        if packed == "zip":
            with zipfile.ZipFile(file.path) as archive:
                member = _only_member(archive, f"{option} {file.name}")
                with archive.open(member) as stream:
                    shutil.copyfileobj(stream, copy, 1 << 20)
        else:
            opener: Any = bz2.open if packed == "bz2" else lzma.open
            with opener(file.path, "rb") as stream:
                shutil.copyfileobj(stream, copy, 1 << 20)
    return target


def _only_member(archive: zipfile.ZipFile, subject: str) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    for ending, what in ZIP_MEMBERS.items():
        if any(name.endswith(ending) for name in names):
            raise InputError(f"{subject}: {what}, expected CSV, JSON lines or Parquet")
    if len(names) != 1:
        raise InputError(
            f"{subject}: a zip of {len(names)} files, expected one; unpack it, and name the file"
        )
    return names[0]
