"""What is public: said once in docs/embedding.rst, importable from ``ctiex``, and all that the documentation uses."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctiex
from ctiex import errors

from .processes import ROOT, finished, surroundings

SAYS_WHAT_CAME = """
import sys
before = set(sys.modules)
import ctiex
print(sorted(name for name in set(sys.modules) - before if name.startswith(("ctiex.", "twisted", "construct"))))
"""


def public_modules() -> set[str]:
    page = (ROOT / "docs" / "embedding.rst").read_text(encoding="utf-8")
    table = page.partition("What is public\n---")[2].partition("Everything else is internal")[0]
    rows = re.findall(r"^   \* - (.*)$", table, re.M)
    return {name for row in rows for name in re.findall(r"``([\w.]+)``", row)}


def documented_code() -> Iterator[tuple[str, str]]:
    """Every piece of Python that the documentation shows or comes with."""
    for path in (ROOT / "docs" / "examples").rglob("*.py"):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.rst")]:
        text = path.read_text(encoding="utf-8")
        lines = re.findall(r"^\s*((?:from ctiex\S* )?import \(?[\w, ]+\)?)$", text, re.M)
        yield str(path.relative_to(ROOT)), "\n".join(line for line in lines if "ctiex" in line)


def imports(code: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ctiex":
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_import_ctiex_alone_imports_nothing_more() -> None:
    said = finished([sys.executable, "-c", SAYS_WHAT_CAME], env=surroundings(), check=True, text=True).stdout
    assert said == "[]\n"


@pytest.mark.parametrize("name", ctiex.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ctiex, name).__name__.removesuffix("_configuration") in (name, name.removesuffix("_configuration"))
    assert name in dir(ctiex)


def test_every_error_is_public() -> None:
    raised = {name for name, made in vars(errors).items() if isinstance(made, type) and issubclass(made, Exception)}
    of_plugins = {"CheckBusy", "CodecError", "FrameTooLong", "MalformedFrame", "UnknownKind", "UnsupportedVersion"}
    assert raised - of_plugins <= set(ctiex.__all__)


def test_what_is_none_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Desk'"):
        ctiex.Desk  # noqa: B018


def test_the_documentation_uses_what_is_public_alone() -> None:
    public = public_modules()
    assert "ctiex" in public
    private = [
        f"{where}: {module}"
        for where, code in documented_code()
        for module, _ in imports(code)
        if not any(module == known or (known != "ctiex" and module.startswith(f"{known}.")) for known in public)
    ]
    assert private == []


def test_what_is_public_is_there() -> None:
    for name in public_modules() - {"ctiex"}:
        path = ROOT / "src" / Path(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").exists(), name
