"""The documents of the wire format are those of the declarations, say everything, and can be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ctiex import call_messages as calls
from ctiex.codecs.layouts import BODIES, HEADER, RECORDS
from ctiex.codecs.wire_types import FieldType
from ctiex.errors import REPEATS, Repeat, Status
from ctiex.messages import KINDS, Condition, Feature, OpenCallState, Role
from ctiex.testing import kaitai, layouts_json
from ctiex.testing.wire import meanings
from ctiex.testing.wire.routes import ROUTES
from ctiex.testing.wire_page import filled

from .kaitai_reader import Kaitai, NotValid
from .layouts_reader import BY_KIND, LAYOUTS

DOCS = Path(__file__).parent.parent / "docs"
VECTORS: dict[str, Any] = json.loads((DOCS / "vectors.json").read_text(encoding="utf-8"))
PAGES = ("wire-format.rst", "client-rules.rst")
PAGE = (DOCS / "wire-format.rst").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the files are those of the declarations


def test_layouts_json_is_what_the_generator_writes() -> None:
    assert (DOCS / "layouts.json").read_text(encoding="utf-8") == layouts_json.text()


def test_the_kaitai_file_is_what_the_generator_writes() -> None:
    assert (DOCS / "ctiex.ksy").read_text(encoding="utf-8") == kaitai.text()


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_what_the_generator_writes(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert ".. generated: " in text
    assert text == filled(text)


def test_the_generator_of_the_page_leaves_what_people_wrote() -> None:
    page = "before\n\n.. generated: roles\n\nold\n\n.. end: roles\n\nbehind\n"
    assert filled(page).startswith("before\n\n.. generated: roles\n\n====")
    assert filled(page).endswith("\n.. end: roles\n\nbehind\n")
    with pytest.raises(KeyError):
        filled(".. generated: nothing\n.. end: nothing\n")


# ---------------------------------------------------------------- they say everything


def test_every_number_has_its_meaning() -> None:
    assert list(meanings.STATUSES) == list(Status)
    assert list(meanings.CONDITIONS) == list(Condition)
    assert list(meanings.ROLES) == list(Role)
    assert list(meanings.OPEN_CALL_STATES) == list(OpenCallState)
    assert list(meanings.FIELD_TYPES) == list(FieldType)
    assert list(meanings.ACTIONS) == list(calls.Action)
    assert list(meanings.PARTY_ROLES) == list(calls.PartyRole)
    assert list(meanings.CONNECTION_STATES) == list(calls.ConnectionState)
    assert list(meanings.CALL_CHANGES) == list(calls.CallChange)
    assert list(meanings.RECORDINGS) == list(calls.Recording)
    assert list(meanings.AGENT_STATES) == list(calls.AgentStateCode)
    assert list(meanings.MONITOR_SWITCHES) == list(calls.MonitorSwitch)
    assert list(meanings.PAGES) == list(calls.Page)
    assert list(meanings.HEADER) == [subcon.name for subcon in HEADER.subcons]
    assert [feature.value for feature in Feature] == list(meanings.FEATURES)


def test_every_message_has_its_way() -> None:
    assert list(ROUTES) == list(KINDS.values())


def test_the_page_has_every_attribute_of_every_body() -> None:
    bodies = PAGE.partition(".. generated: bodies")[2].partition(".. end: bodies")[0]
    parts = re.split(r"^(\w\w) (\w+)\n~+$", bodies, flags=re.M)[1:]
    told = {name: re.findall(r"^``(\w+)``", text, re.M) for name, text in zip(parts[1::3], parts[2::3], strict=True)}
    assert told == {message.__name__: list(BODIES[message]) for message in KINDS.values()}


def test_the_page_uses_every_generated_part() -> None:
    parts = {"header", "kinds", "bodies", "fields", "field types", "extensions", "statuses", "conditions", "features"}
    codes = {"roles", "open call states", "actions", "party roles", "connection states", "call changes", "recordings"}
    codes |= {"agent states", "monitor switches", "pages"}
    records = {"open hand off", "call party", "field name"}
    assert len(records) == len(RECORDS)
    assert set(re.findall(r"^\.\. generated: (.*)$", PAGE, re.M)) == parts | codes | records


def test_every_table_of_numbers_that_an_attribute_names_is_there() -> None:
    """Each says as many numbers as the attribute may have, or as the exchange knows."""
    records = [attribute for record in LAYOUTS["records"].values() for attribute in record]
    attributes = [attribute for message in LAYOUTS["messages"] for attribute in message["attributes"]]
    for attribute in [*records, *attributes]:
        for key in ("table", "bits"):
            if key in attribute and attribute[key] != "messages":
                codes = [each["code"] for each in LAYOUTS[attribute[key]]]
                assert set(attribute.get("values", codes)) <= set(codes), attribute
        assert "values" not in attribute or "table" in attribute, attribute


# ---------------------------------------------------------------- what may be repeated


def test_every_status_says_whether_it_may_be_repeated() -> None:
    assert list(REPEATS) == list(Status)
    assert {status for status in Status if status.repeat is Repeat.AT_ONCE} == {
        Status.NOT_BOUND,
        Status.AGENT_NOT_LOGGED_IN,
    }
    assert [int(status) for status in Status if status.repeat is Repeat.LATER] == [
        *(14, 15, 31, 32, 33, 41, 50, 51),
        *(63, 64, 66, 67),
    ]


# ---------------------------------------------------------------- the Kaitai file reads


def contents(data: bytes) -> list[dict[str, Any]]:
    return [frame["content"] for frame in Kaitai(kaitai.description()).read(data)["frames"]]


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_the_kaitai_file_reads_every_message(vector: dict[str, Any]) -> None:
    (content,) = contents(bytes.fromhex(vector["hex"]))
    assert (content["kind"], content["invoke_id"]) == (vector["kind"], vector["invoke_id"])
    extensions = content.get("extensions", {"items": []})["items"]
    assert [[each["type"], each["value"].hex()] for each in extensions] == vector["extensions"]
    for attribute in BY_KIND[vector["kind"]]["attributes"]:
        told, found = vector["message"][attribute["name"]], content["body"][attribute["name"]]
        if attribute["type"] == "fields":
            assert [each["name"] for each in found["items"]] == list(told)
        elif attribute["type"] == "list":
            assert len(found) == len(told)
        else:
            assert str(found["value"] if isinstance(found, dict) else found) == str(told)


NOT_SAID_IN_KAITAI = {
    "a doubled field name",
    "a serial with a letter",
    "an empty decimal",
    "a decimal that ends with its point",
    "a decimal with a plus sign",
    "a decimal with an exponent",
    "a decimal of 19 digits",
    "a decimal with 10 digits behind its point",
    "a decimal with a line feed behind it",
    "an unknown kind",
    "an unknown kind before Bind",
    "an AgentEventAck under an id",
    "an AgentStateEvent under an id",
    "a CallEvent under an id",
    "a Snapshot under an id",
    "a doubled field name in the data of a call",
}
"""What the file lets pass, as its ``doc`` says; the invoke id is no part of a layout."""


def test_the_kaitai_file_refuses_what_is_malformed() -> None:
    passed = set()
    for vector in VECTORS["cases"]:
        malformed = any(answer.get("status") in (1, 2) and answer["id"] for answer in vector["answers"])
        if vector["codec"] == "binary" and malformed:
            try:
                contents(bytes.fromhex(vector["hex"]))
            except NotValid:
                continue
            passed.add(vector["name"])
    assert passed == NOT_SAID_IN_KAITAI


def test_frames_stand_behind_each_other() -> None:
    steps = VECTORS["dialogues"][0]["steps"]
    read = contents(b"".join(bytes.fromhex(step["hex"]) for step in steps))
    assert len(read) == len(steps)
