"""docs/ctiex.ksy by the Kaitai Struct compiler itself: what it makes reads what our own readers read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .processes import ROOT, finished
from .test_wire_documents import BY_KIND, NOT_SAID_IN_KAITAI, VECTORS

pytestmark = pytest.mark.gate
PACKAGES = ("kaitai-struct-compiler@0.11.0", "kaitai-struct@0.11.0", "yaml@2.9.1")
FILE = ROOT / "docs" / "ctiex.ksy"
SAFE = 2**53
"""Integers beyond this are rounded by the runtime for JavaScript."""

NOT_STRICT = {
    "a decimal with digits that aren't ASCII",
    "a field name that isn't UTF-8",
    "a serial with digits that aren't ASCII",
    "a text that isn't UTF-8",
    "bad UTF-8",
    "half a surrogate pair in UTF-8",
}
"""What the runtime for JavaScript replaces without a word."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiler."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    made = tmp_path_factory.mktemp("kaitai")
    installing = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(made), *PACKAGES]
    installed = finished(installing, text=True)
    if installed.returncode:
        pytest.skip(f"npm can't fetch the compiler here: {installed.stderr.strip()[-200:]}")
    return made


def read(folder: Path, frames: list[str]) -> list[dict[str, Any]]:
    """What the compiled reader finds in each of these frames."""
    said = json.dumps({"file": FILE.read_text(encoding="utf-8"), "frames": frames})
    program = ["node", str(ROOT / "tests" / "kaitai_compiled.mjs")]
    done = finished(program, cwd=folder, input=said, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def in_camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def test_it_reads_every_message(folder: Path) -> None:
    vectors = VECTORS["messages"]
    for vector, content in zip(vectors, read(folder, [vector["hex"] for vector in vectors]), strict=True):
        assert (content["kind"], content["invokeId"]) == (vector["kind"], vector["invoke_id"]), vector["name"]
        for attribute in BY_KIND[vector["kind"]]["attributes"]:
            told = vector["message"][attribute["name"]]
            found = content["body"][in_camel_case(attribute["name"])]
            if attribute["type"] == "fields":
                assert [each["name"] for each in found["items"]] == list(told), vector["name"]
            elif attribute["type"] == "list":
                assert len(found) == len(told), vector["name"]
            elif isinstance(found, dict):
                assert found["value"] == told, vector["name"]
            elif int(told) < SAFE:
                assert found == int(told), vector["name"]


def test_it_refuses_what_is_malformed(folder: Path) -> None:
    cases = [
        case
        for case in VECTORS["cases"]
        if case["codec"] == "binary" and any(answer.get("status") == 1 and answer["id"] for answer in case["answers"])
    ]
    contents = read(folder, [case["hex"] for case in cases])
    passed = {case["name"] for case, content in zip(cases, contents, strict=True) if "fault" not in content}
    assert len(cases) > 40
    assert passed - NOT_SAID_IN_KAITAI == NOT_STRICT
