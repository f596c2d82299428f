"""The readers and writers of the wire that tests have of their own agree with docs/vectors.json on every message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .wire_frames import Kind
from .wire_lines import FORMS

_FILE = Path(__file__).parent.parent / "docs" / "vectors.json"
_MESSAGES: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))["messages"]
_PLAIN = [vector for vector in _MESSAGES if not vector["extensions"]]


def test_they_know_every_kind() -> None:
    assert {vector["kind"] for vector in _MESSAGES} == set(Kind)


@pytest.mark.parametrize("vector", _PLAIN, ids=lambda vector: vector["name"])
def test_both_forms_are_read_as_the_same_and_written_as_they_were(vector: dict[str, Any]) -> None:
    frame, line = bytes.fromhex(vector["hex"]), vector["json"].encode() + b"\n"
    read = []
    for name, data in (("binary", frame), ("json", line)):
        found = FORMS[name].first(data)
        assert found is not None
        message, rest = found
        assert rest == b""
        read.append(message)
        written = FORMS[name].message(message.kind, message.invoke_id, message.values)
        assert written == data if name == "binary" else json.loads(written) == json.loads(data)
    assert read[0] == read[1]
    assert (read[0].kind, read[0].invoke_id) == (vector["kind"], vector["invoke_id"])
