"""What docs/cti-functions.rst tells is so: its tables have every function, and what it allows is allowed."""

from __future__ import annotations

import re

from ctiex import call_messages
from ctiex.call_messages import Action
from ctiex.messages import KINDS

from .call_authorization_table import ALLOWED, State
from .pages import list_tables, page, section

PAGE = "docs/cti-functions.rst"
_SUPERVISION = {Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT, Action.STOP_SUPERVISION}
_AS_TOLD = {
    "alerting": State.ALERTING,
    "connected, with another party": State.TALKING,
    "connected, in a conference": State.CONFERENCE,
    "held": State.HELD,
    "held, while the agent talks in the consultation": State.CONSULTING,
    "held at phone": State.HELD_AT_PHONE,
    "with a service": State.WITH_SERVICE,
}


def test_the_table_has_every_action_and_every_message() -> None:
    (rows,) = list_tables(section(PAGE, "The functions"))
    told = [name for row in rows for name in re.findall(r"``([a-z ]+)``", row[1]) if name not in ("fields", "serial")]
    assert told == [action.name.lower().replace("_", " ") for action in Action]
    messages = {kind.__name__ for kind in KINDS.values() if kind.__module__ == call_messages.__name__}
    named = {name for name in re.findall(r"\b[A-Z][A-Za-z]+\b", " ".join(row[1] for row in rows))}
    assert {name for name in messages if not name.endswith("Reply")} - {"CallControl"} <= named


def test_every_function_is_compared_with_every_interface() -> None:
    (rows,) = list_tables(section(PAGE, "The functions"))
    assert {len(row) for row in rows} == {6}
    assert all(all(row) for row in rows)


def test_what_is_told_to_be_allowed_is() -> None:
    (rows,) = list_tables(section(PAGE, "What may be asked for, and when"))
    told = {
        _AS_TOLD[state]: {Action[name.upper().replace(" ", "_")] for name in actions.split(", ") if name != "nothing"}
        for state, actions in rows
    }
    assert told == {state: ALLOWED[state] - _SUPERVISION for state in _AS_TOLD.values()}


def test_the_statuses_of_the_page_are_those_of_the_feature() -> None:
    told = {int(number) for row in _failures() for number in re.findall(r"\d+", row[0])}
    assert set(range(60, 68)) <= told


def _failures() -> list[list[str]]:
    return [row for table in list_tables(section(PAGE, "How they fail")) for row in table]


def test_the_page_is_in_the_index() -> None:
    assert "\n   cti-functions\n" in page("docs/index.rst")
