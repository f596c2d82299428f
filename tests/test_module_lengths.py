"""No module is longer than a reader takes in: those of CTIEX, of its tests, and whatever else is in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import ROOT

MOST_LINES = 400
FOLDERS = ("src", "twisted", "tests", "benchmarks", "fuzz", "docs")


def too_long(folder: Path) -> Iterator[str]:
    """The modules in it, at any depth, that have more lines than one may have."""
    for path in sorted(folder.rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{path.relative_to(folder)} has {lines} lines"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_has_more_lines_than_a_reader_takes_in(folder: str) -> None:
    assert list((ROOT / folder).rglob("*.py")), "nothing was looked at"
    assert list(too_long(ROOT / folder)) == []


def test_one_line_too_many_is_seen(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name, lines in (("whole", MOST_LINES), ("inner/longer", MOST_LINES + 1)):
        (tmp_path / f"{name}.py").write_text("pass\n" * lines)
    assert list(too_long(tmp_path)) == ["inner/longer.py has 401 lines"]
