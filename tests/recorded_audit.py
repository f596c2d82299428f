"""An audit that a test reads, and what must not stand in it."""

from __future__ import annotations

from typing import Unpack

from attrs import define, field

from ctiex.monitoring.audit_events import About, AuditEvent
from ctiex.monitoring.audit_log import line_of

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
