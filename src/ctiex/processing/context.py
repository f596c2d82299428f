"""What the processing service works with, put together by whoever embeds it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from ctiex.errors import Status
from ctiex.interfaces import ICallStore, ICodec, ISerialCarrier
from ctiex.limits import Limits
from ctiex.monitoring.audit_events import Audit
from ctiex.monitoring.counters import Counters
from ctiex.processing.commits import Commits
from ctiex.processing.desk import Desk
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.processing.service_settings import ServiceSettings
from ctiex.processing.stored_time import StoredTime
from ctiex.serials import SerialAllocator


@define
class ProcessingContext:
    """What the processing service works with."""

    clock: StoredTime
    store: ICallStore
    desk: Desk
    carrier: ISerialCarrier
    allocator: SerialAllocator
    sessions: ServiceSessions
    services: Mapping[str, ServiceSettings]
    codec: ICodec
    """The codec of the IVR link: data is encoded for it when a call is stored."""
    max_frame: int
    """The limit on a frame of the IVR link, in bytes."""
    exchange_address: str
    """The advertised address of the IVR link."""
    limits: Limits = field(factory=Limits)
    counts: Counters = field(factory=Counters)
    network: ISerialCarrier | None = None
    """Takes serials through the telephone network, where that is another than ``carrier``, which makes Connections."""
    audit: Audit | None = None
    """Hears what becomes of each call; None: nobody wants to know."""

    @property
    def commits(self) -> Commits:
        """Commits changes, and knows whether the store takes them."""
        return self.desk.commits

    def new_serial(self, told: bool = False) -> str:
        """A serial that no call has, and that no event which still waits is about.

        :param told: it is to name a call that an agent is told of.
        :raise SerialError: none was free after many tries.
        """
        return self.allocator.allocate(
            lambda serial: self.store.get(serial) is not None or self.desk.awaits(serial), told
        )


class Refused(Exception):
    """A request is refused; carries the status and the words for its reply."""

    def __init__(self, status: Status, detail: str = "") -> None:
        self.status = status
        self.detail = detail or status.text
        super().__init__(self.detail)
