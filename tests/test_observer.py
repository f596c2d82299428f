"""What happens is told once, and everybody who listens hears of it."""

from __future__ import annotations

import ast
from functools import cache

import attrs
import pytest

from ctiex.monitoring.audit_events import AuditEvent
from ctiex.monitoring.counters import COUNTED_BY, CounterListener, Counters
from ctiex.monitoring.observer import EVENTS, Observer, Observers

from .source_trees import code, trees

OF_THE_AUDIT = {"audit_failures", "audit_refusals_left_out", "audit_records_lost"}
"""What becomes of records is no event of the exchange."""


@cache
def told_in_the_source() -> set[str]:
    """The names of the methods of something called observer that are called, or given to be called, outside."""
    return {
        node.attr
        for path, tree in trees()
        if path.parent.name != "monitoring"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("observer")
    }


class Heard(Observer):
    """Writes down two kinds of events."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def monitoring_refused(self) -> None:
        self.told.append("refused")

    def agent_events_expired(self, agent: str, count: int) -> None:
        self.told.append((agent, count))


def test_every_event_is_told_by_somebody() -> None:
    assert EVENTS - told_in_the_source() == set()


def test_nobody_tells_what_is_no_event() -> None:
    assert told_in_the_source() - EVENTS == {"hears"}


def test_one_listener_is_called_without_a_detour_and_of_several_each_hears_all() -> None:
    first, second = Heard(), Heard()
    assert Observers([first]).agent_events_expired == first.agent_events_expired
    both = Observers([first, second, Observer()])
    both.agent_events_expired("1001", count=3)
    both.monitoring_refused()
    assert first.told == second.told == [("1001", 3), "refused"]


def test_what_nobody_wants_does_nothing_and_is_known() -> None:
    observers = Observers([Heard()])
    observers.call_committed()
    assert observers.hears(Observer.monitoring_refused)
    assert not observers.hears(Observer.call_committed)
    assert not Observers().hears(Observer.monitoring_refused)


@pytest.mark.parametrize("event", sorted(COUNTED_BY))
def test_an_event_of_the_table_is_counted_once_by_its_counter_alone(event: str) -> None:
    assert event in EVENTS
    counters = Counters()
    getattr(CounterListener(counters), event)()
    counted = {name: value for name, value in attrs.asdict(counters).items() if value}
    assert counted == {COUNTED_BY[event]: 1}


def test_every_counter_is_counted_by_something() -> None:
    text = "".join(text for _, text in code())
    named = {one.name for one in attrs.fields(Counters) if text.count(one.name) > 1}
    assert {one.name for one in attrs.fields(Counters)} - named == set()
    assert OF_THE_AUDIT < named


def test_every_record_of_the_audit_is_made_somewhere() -> None:
    text = "".join(text for path, text in code() if path.name != "audit_events.py")
    assert [event.name for event in AuditEvent if f"AuditEvent.{event.name}" not in text] == []
