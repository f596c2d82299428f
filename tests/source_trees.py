"""The syntax trees of all of ``src/ctiex``, parsed once for all tests that look at them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"


@cache
def trees() -> tuple[tuple[Path, ast.Module], ...]:
    """Every module: its file and its syntax tree, which nobody may change."""
    return tuple(
        (path, ast.parse(path.read_text(encoding="utf-8"), str(path)))
        for path in sorted((SOURCE / "ctiex").rglob("*.py"))
    )


@cache
def code() -> tuple[tuple[Path, str], ...]:
    """Every module: its file and its code, without comments."""
    return tuple((path, ast.unparse(tree)) for path, tree in trees())
