"""An audit that a test reads, and what must not stand in it."""

from __future__ import annotations

from typing import Any, Unpack

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from ctiex.fields import Fields
from ctiex.monitoring.audit_events import About, AuditEvent
from ctiex.monitoring.audit_log import line_of
from ctiex.testing.fakes import FakeAgent, FakeService
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

MARKER = "e5c0-marker"
NUMBER = "13800138000"


@define
class Recorded:
    """An audit that keeps what it hears."""

    records: list[tuple[AuditEvent, About]] = field(factory=list)

    def record(self, event: AuditEvent, **about: Unpack[About]) -> None:
        self.records.append((event, about))

    def of(self, *events: AuditEvent) -> list[About]:
        return [about for event, about in self.records if event in events]

    @property
    def told(self) -> list[str]:
        return [event.value for event, _ in self.records]

    def text(self) -> str:
        """All of it as it would stand in a file."""
        return b"".join(line_of(event, 0.0, about) for event, about in self.records).decode()


class AuditCase(SynchronousTestCase):
    """An exchange whose audit a test reads."""

    def setUp(self) -> None:
        self.audit = Recorded()
        self.exchange = self.make()

    def make(self, **more: Any) -> MemoryExchange:
        known = (agents(), agents("others", "2000"), services(), services("strangers", "other"))
        offered = {"bill": make_service("bill"), "other": make_service("other")}
        return MemoryExchange(identities=known, services=offered, audit=self.audit, **more)

    def hand_off(self, serial: str = "7") -> tuple[FakeAgent, FakeService]:
        """A call that a service has."""
        service, agent = self.exchange.service(), self.exchange.agent("1001")
        agent.connect("1001", "bill", serial, NUMBER, Fields({"pin": MARKER}))
        self.exchange.pump()
        return agent, service
