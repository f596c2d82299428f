"""What is stored: calls, agents' events, and the changes to both.

All are frozen: a change that fails to be kept leaves the old records as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from attrs import evolve, field

from ctiex.frozen import frozen

EPOCH = "epoch"
"""Under this name a store keeps which numbering its events belong to."""
DIGEST_SIZE = 16
"""Of what tells repeats, in bytes."""


class CallState(Enum):
    """Where a call stands between the agent's request and its end."""

    REQUESTED = "requested"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FETCHED = "fetched"
    REPORTED = "reported"
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's own is Python, and states are looked up all the time


@frozen
class Call:
    """One hand-off, keyed by its call serial number: the seed's agent-associated information."""

    serial: str
    agent: str
    service: str
    identity: str
    """The agent-side identity that asked for it."""
    calling_number: str = field(repr=False)
    """The customer's number, without the serial; wiped when the call closes."""
    digest: bytes = field(repr=False)
    """Keyed; tells a repeat of the same request from another use of its serial, also once the call is closed."""
    data: bytes = field(repr=False)
    """The encoded body of its DataResult, made once and anew at an update; wiped when the call closes."""
    state: CallState
    deadline: float
    """When this state times out, in seconds of the wall clock."""
    reference: str = ""
    """What the agent's application calls it; wiped when the call closes."""
    asked: bytes = field(default=b"", repr=False)
    """The fields as they were asked for, in an encoded UpdateRequest; empty where ``data`` has the same ones."""
    begun: int = 0
    """When it was asked for, in milliseconds since 1970-01-01 UTC."""
    since: int = 0
    """When it came into its state, in milliseconds since 1970-01-01 UTC."""
    owner: str = ""
    """The service identity that it was offered to; empty before."""
    told: frozenset[int] = frozenset()
    """The conditions 10 to 13 that were reported already, so that none is reported twice."""
    reports: Mapping[int, bytes] = field(factory=dict, repr=False)
    """By the event_id of each service event that was stored: a keyed digest of what it said."""
    ended_as: int = 0
    """The condition that the service is still to hear in a CallEnded; 0: none."""
    changed: bool = False
    """Whether the service is still to hear that its data has changed."""
    refused: bool = False
    """Whether the last word of the service that it was offered to was a refusal: then that needs no word of the end."""

    def but(
        self,
        *,
        state: CallState | None = None,
        deadline: float | None = None,
        since: int | None = None,
        owner: str | None = None,
        told: frozenset[int] | None = None,
        reports: Mapping[int, bytes] | None = None,
        ended_as: int | None = None,
        changed: bool | None = None,
        refused: bool | None = None,
        wiped: bool = False,
    ) -> Call:
        """The same call, but for what is named; without what is secret in it where it is ``wiped``."""
        return Call(
            self.serial,
            self.agent,
            self.service,
            self.identity,
            "" if wiped else self.calling_number,
            self.digest,
            b"" if wiped else self.data,
            self.state if state is None else state,
            self.deadline if deadline is None else deadline,
            "" if wiped else self.reference,
            b"" if wiped else self.asked,
            self.begun,
            self.since if since is None else since,
            self.owner if owner is None else owner,
            self.told if told is None else told,
            self.reports if reports is None else reports,
            self.ended_as if ended_as is None else ended_as,
            self.changed if changed is None else changed,
            self.refused if refused is None else refused,
        )

    def updated(self, data: bytes, asked: bytes) -> Call:
        """The same call with other data."""
        return evolve(self, data=data, asked=asked)


@frozen
class StoredEvent:
    """One event in an agent's mailbox, encoded once for the agent link."""

    agent: str
    sequence: int
    body: bytes = field(repr=False)
    expires: float
    """When it may be dropped unacknowledged, in seconds of the wall clock."""
    serial: str | None = None
    """The call that it is about, empty if it is about none; None: a store that doesn't keep it apart."""


@frozen
class Change:
    """Records that are committed together or not at all.

    Calls are put before serials are forgotten, and events are appended before any are dropped.
    """

    calls: tuple[Call, ...] = ()
    """Put in place of what stood under the same serial."""
    forgotten: tuple[str, ...] = ()
    """Serials whose calls are dropped."""
    events: tuple[StoredEvent, ...] = ()
    """Appended to their agents' mailboxes; each is its agent's last sequence + 1."""
    dropped: tuple[tuple[str, int], ...] = ()
    """(agent, sequence): events up to and including it leave the mailbox."""
    metadata: tuple[tuple[str, str], ...] = ()
    """(name, value): what else the store is to know, such as the codec its bodies are encoded with."""
    removed: tuple[str, ...] = ()
    """Names of such, which it is to know no longer."""


@frozen
class StoreSnapshot:
    """Everything that a journal holds when it is opened."""

    calls: Sequence[Call] = ()
    last_sequences: Mapping[str, int] = field(factory=dict)
    """By agent number, each that ever had an event: the last sequence assigned."""
    events: Sequence[StoredEvent] = ()
    """Those that wait: each agent's in order, without a gap up to its last sequence."""
    metadata: Mapping[str, str] = field(factory=dict)

    def gaps(self) -> Iterator[str]:
        """What is missing in the agents' mailboxes, a sentence each."""
        last: dict[str, int] = {}
        for event in self.events:
            if event.agent in last and event.sequence != last[event.agent] + 1:
                yield f"agent {event.agent}: event {event.sequence} follows {last[event.agent]}"
            last[event.agent] = event.sequence
        for agent, sequence in last.items():
            if sequence != self.last_sequences.get(agent):
                expected = self.last_sequences.get(agent)
                yield f"agent {agent}: the last event is {sequence}, the last sequence {expected}"
