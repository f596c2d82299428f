"""The pages: reading them, and doing what they say."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

from .processes import ROOT, Program, surroundings
from .waiting import until

DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "ctiex"

# ---------------------------------------------------------------- reading the pages


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> list[tuple[str, str]]:
    """The language and the text of each code block of a page."""
    if name.endswith(".md"):
        return re.findall(r"^```(\w+)\n(.*?)^```", page(name), re.M | re.S)
    found = re.findall(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", page(name), re.M)
    return [(language, textwrap.dedent(text).strip("\n") + "\n") for language, text in found]


def block_with(name: str, language: str, words: str) -> str:
    """The one block of this language that has these words."""
    (found,) = {text for kind, text in code_blocks(name) if kind == language and words in text}
    return found


def commands(name: str) -> list[str]:
    """What the page tells its reader to type at a shell."""
    lines: list[str] = []
    for language, text in code_blocks(name):
        if language == "sh":
            lines += text.splitlines()
        elif language == "console":
            lines += [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return lines


def section(name: str, title: str) -> str:
    """The part of a page in reStructuredText from one title to the next of any level."""
    _, behind = re.split(rf"^{re.escape(title)}\n[=~-]+\n", page(name), flags=re.M)
    return re.split(r"^\S.*\n[=~-]{3,}\n", behind, flags=re.M)[0]


def list_tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of each list-table, without the head."""
    for table in re.findall(r"^\.\. list-table::\n(?:   :.*\n)+\n((?:   .*\n|\n)+)", text, re.M):
        rows = re.split(r"^   \* - ", table, flags=re.M)[1:]
        cells = [re.split(r"^     - ", row, flags=re.M) for row in rows]
        yield [[" ".join(cell.split()) for cell in row] for row in cells][1:]


def csv_tables(name: str) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of each csv-table."""
    found = re.findall(r"^\.\. csv-table::\n   :header: (.*)\n(?:   :.*\n)*\n((?:   .*\n)+)", page(name), re.M)
    return [(_csv(head)[0], _csv(textwrap.dedent(rows))) for head, rows in found]


def _csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), skipinitialspace=True))


# ---------------------------------------------------------------- doing what they say


def environment() -> dict[str, str]:
    without_secret = surroundings(PYTHONUNBUFFERED="1")
    without_secret.pop("CTIEX_SECRET", None)
    return without_secret


class Terminal:
    """A terminal in which one command runs."""

    def __init__(self, command: list[str], directory: Path, number: int) -> None:
        self._output = directory / f"terminal-{number}"
        with self._output.open("wb") as output:
            self._process = Program[bytes](
                command, cwd=directory, env=environment(), stdin=PIPE, stdout=output, stderr=output
            )
        self._looked_at = 0

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def sees(self, pattern: str) -> str:
        """Wait until what was printed since the last look has this pattern; gives that."""

        def printed() -> re.Match[str] | None:
            return re.search(pattern, self._output.read_text()[self._looked_at :])

        found = until(printed, lambda: f"no {pattern!r} in:\n{self._output.read_text()}", self._process)
        assert found
        self._looked_at += found.end()
        return found.string[: found.end()]

    def ended(self) -> int:
        return self._process.ends()

    def close(self) -> None:
        self._process.end()
