"""Read the fenced code blocks of README and docs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
ASSIGNMENT = re.compile(r"[A-Z_]+=")
SEPARATORS = ("|", "&&", ";", "||")


class Block(NamedTuple):
    """A fenced block: its page, the line of its fence, its text."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str, pages: list[Path] = PAGES) -> list[Block]:
    """Return the blocks of a language, in the order of the pages."""
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[2])
        for page in pages
        for text in [page.read_text()]
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """Split a shell block into commands, each without assignments of variables before it."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        command: list[str] = []
        for word in [*words, ";"]:
            if word not in SEPARATORS:
                command.append(word)
                continue
            while command and ASSIGNMENT.match(command[0]):
                command = command[1:]
            if command:
                yield command
            command = []
