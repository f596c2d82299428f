"""What the processing service works with, built by the code that embeds it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Protocol

from attrs import define, field, frozen

from ctiex.errors import CodecError
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import ICodec, IOrganizer, ISerialCarrier
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.messages import Message
from ctiex.monitoring.observer import Observer
from ctiex.processing.account import ByteAccount, commit_accounted
from ctiex.processing.commits import Commits
from ctiex.processing.digests import KEY_LABEL, KEY_SIZE, Digests
from ctiex.processing.mailboxes import Mailboxes, serial_of
from ctiex.processing.presence import AgentPresence
from ctiex.processing.quotas import CallQuotas
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.processing.stored_time import LABEL, StoredTime
from ctiex.records import EPOCH, Change
from ctiex.serials import SerialAllocator
from ctiex.stores.call_store import CallStore


@frozen
class ServiceSettings:
    """One automatic service as the exchange knows it [0054]."""

    name: str
    access_code: str
    signalling: str
    """The name of its signalling driver."""
    request: IOrganizer
    """Organizes the agent's fields for the service."""
    result: IOrganizer
    """Reorganizes the service's fields for the agent."""
    timeouts: Timeouts = field(factory=Timeouts)
    from_call_data: frozenset[str] = frozenset()
    """The names of fields that a hand-off takes from the data of the agent's call, where its request has none."""


class AgentsCalls(Protocol):
    """The calls of agents, as hand-offs see them."""

    def serial_of(self, customer: str) -> str:
        """The serial of the call in which this customer's party is; empty where none is known."""

    def customer_of(self, serial: str) -> str:
        """The id of the customer's party in the call that has this serial now; empty where none has."""

    def tells(self, agent: str) -> bool:
        """Whether the agent's own application is told of calls by call events."""

    def data_of(self, serial: str) -> Fields:
        """The data of the call that has this serial now."""

    def put_result(self, serial: str, fields: Fields) -> None:
        """A service's result goes into the data of the call that it was handed over from."""


class NoAgentsCalls:
    """There is no platform whose calls are seen."""

    def serial_of(self, customer: str) -> str:
        """None."""
        return ""

    def customer_of(self, serial: str) -> str:
        """Nobody."""
        return ""

    def tells(self, agent: str) -> bool:
        """Nobody."""
        return False

    def data_of(self, serial: str) -> Fields:
        """None."""
        return EMPTY

    def put_result(self, serial: str, fields: Fields) -> None:
        """It goes nowhere."""


@define(slots=False)
class ProcessingContext:
    """What the processing service works with."""

    clock: StoredTime
    store: CallStore
    agent_codec: ICodec
    """The codec of the agent link: events are encoded for it when they are stored."""
    agent_link: SessionLimits
    carrier: ISerialCarrier
    allocator: SerialAllocator
    sessions: ServiceSessions
    services: Mapping[str, ServiceSettings]
    codec: ICodec
    """The codec of the IVR link: data is encoded for it when a call is stored."""
    ivr_link: SessionLimits
    exchange_address: str
    """The advertised address of the IVR link."""
    limits: Limits
    observer: Observer
    random: Random
    """For the numbers that name an epoch, and the key of digests."""
    network: ISerialCarrier | None
    """Takes serials through the telephone network, where that is another than ``carrier``, which makes Connections."""

    def __attrs_post_init__(self) -> None:
        self.agents_calls: AgentsCalls = NoAgentsCalls()
        """Replaced where a platform's calls are controlled."""
        self._last_begun = 0
        self.digests = Digests(self.random.randbytes(KEY_SIZE))
        self.presence = AgentPresence(self.limits, self.store.last_sequence)
        self.account = ByteAccount(self.limits, self.presence.registered_by, partial(serial_of, self.agent_codec))
        self.commits = Commits(partial(commit_accounted, self.store, self.account), self.clock, self.observer)
        """Commits every change, and knows whether the store takes them."""
        self.quotas = CallQuotas(self.limits, self.store, self.account, self.presence)
        self.mailboxes = Mailboxes(
            self.store, self.agent_codec, self.agent_link, self.limits, self.clock, self.observer, self.commits,
            self.presence, self.account,
        )  # fmt: skip

    def go_on(self) -> None:
        """Take up the time, the epoch and the key of an opened store; one that has none is given them, before all."""
        self.clock.go_on(self.store.metadata(LABEL))
        named = self.to_name().metadata
        epoch, key = (dict(named).get(name, self.store.metadata(name)) for name in (EPOCH, KEY_LABEL))
        assert epoch is not None and key is not None, "what isn't there is named"
        self.mailboxes.epoch, self.digests = int(epoch), Digests(bytes.fromhex(key))
        if named:
            self.commits.commit_first(named)

    def to_name(self) -> Change:
        """What an opened store is to keep before anything else: the epoch and the key, where it has none."""
        missing = [name for name in (EPOCH, KEY_LABEL) if self.store.metadata(name) is None]
        new = {EPOCH: lambda: str(self.random.getrandbits(63) + 1), KEY_LABEL: self.digests.key.hex}
        return Change(metadata=tuple((name, new[name]()) for name in missing))

    def begins(self, now: int) -> int:
        """When a call begins that comes now, in milliseconds: no two at once, for their order is told by it."""
        self._last_begun = max(now, self._last_begun + 1)
        return self._last_begun

    def fits_agent_link(self, message: Message) -> bool:
        """Whether a message fits a frame of the agent link."""
        codec = self.agent_codec
        try:
            return codec.frame_length(codec.encode_body(message)) <= self.agent_link.max_frame
        except CodecError:  # more records than can be counted
            return False

    def new_serial(self, told: bool = False) -> str:
        """A serial that no call has, and that no event which still waits is about.

        :param told: it is for a call that an agent is notified of.
        :raise SerialError: none was free after many tries.
        """
        return self.allocator.allocate(
            lambda serial: self.store.get(serial) is not None or self.mailboxes.awaits(serial), told
        )
