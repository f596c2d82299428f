"""Where the agents are, and their mailboxes: numbered events, replayed until acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Protocol

from attrs import define

from ctiex.errors import FrameTooLong, Status
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import ICallStore, ICodec, decoded
from ctiex.limits import Limits
from ctiex.messages import KIND_OF, AgentEvent, AgentLoginReply, Condition
from ctiex.monitoring.counters import Counters
from ctiex.processing.account import Account, AccountedStore, size_of_event
from ctiex.processing.commits import RETRY_AFTER, Commits
from ctiex.processing.number_quota import AgentNumberQuota, label_of
from ctiex.processing.stored_time import StoredTime
from ctiex.processing.timer_wheel import TimerWheel
from ctiex.records import Change, StoredEvent
from ctiex.serials import names_a_told_call
from ctiex.settings import LEAST_END


def arrival(calling_number: str) -> Fields:
    """The fields of the event that tells an agent's application of a call that has come to the agent."""
    return Fields({"event": "call", "calling_number": calling_number})


def _is_arrival(event: AgentEvent) -> bool:
    """Whether an event tells of a call that has come: it is about no call that is kept, and its serial may be used."""
    told = event.condition == Condition.PROGRESS and names_a_told_call(event.serial)
    return told and event.fields.get("event") == "call"


class AgentOutlet(Protocol):
    """One bound agent link, as the desk sees it."""

    @property
    def writable(self) -> bool:
        """Whether events may be written now; ``Desk.resume`` is called when they may be again."""

    def send_event(self, body: bytes) -> None:
        """Write an AgentEvent whose body is encoded already."""

    def taken_over(self, agent: str) -> None:
        """Another link has taken this agent number over."""


@define
class _Login:
    outlet: AgentOutlet
    sent: int
    """The sequence of the last event written to the outlet."""


class Desk:
    """Knows which agent number is logged in on which link, and keeps the agents' events.

    Room in a mailbox is bounded: each open call holds a reservation for its end.
    """

    def __init__(
        self, store: ICallStore, codec: ICodec, max_frame: int, limits: Limits, clock: StoredTime, counts: Counters
    ) -> None:
        self._store = store
        self.codec = codec
        self._max_frame = max_frame
        self._limits = limits
        self._clock = clock
        self._counts = counts
        self._logins: dict[str, _Login] = {}
        self._reserved: Counter[str] = Counter()
        self.numbers = AgentNumberQuota(limits)
        self._kept: dict[str, int] = {}
        self._of_another_clock: dict[str, int] = {}
        """By agent: the last event that another wall clock would keep for longer than any may be kept."""
        self._started_at = clock.seconds()
        self._acknowledged: dict[str, int] = {}
        """By agent: up to where the store was to drop acknowledged events, and didn't."""
        self.account = Account(limits, self.numbers.registered_by, self._serial_of)
        self.commits = Commits(AccountedStore(store, self.account).commit, clock, counts)
        """Commits every change of the processing service: one place knows whether the store is well."""
        self._expiry = TimerWheel(clock, self._expire, self.commits.settled)

    def start(self) -> None:
        """Take up the mailboxes of an opened store."""
        self._started_at = self._clock.seconds()
        for agent in self._store.agents():
            self._kept[agent] = self._store.last_sequence(agent)
            registered_by = self._store.metadata(label_of(agent))
            if registered_by is not None:  # a file of an earlier version says nothing: then it counts for nobody
                self.numbers.put(agent, registered_by)
            waiting = self._store.events(agent)
            if waiting:
                self.account.add_events(waiting, 1)
            if any(event.expires > self._started_at + self._limits.mailbox_ttl for event in waiting):
                self._of_another_clock[agent] = waiting[-1].sequence
            self._watch_oldest(agent)

    def stop(self) -> None:
        """Let go of the timers."""
        self._expiry.stop()

    # ------------------------------------------------------------ who is here

    @property
    def agents_per_link(self) -> int:
        """How many agent numbers may be logged in on one link."""
        return self._limits.agents_per_link

    def admit(self, agent: str, identity: str) -> bool:
        """Whether an identity may log this number in; False when it would bring more than it may."""
        return self.numbers.bring(agent, identity)

    def login(self, agent: str, outlet: AgentOutlet, resume_after: int) -> AgentLoginReply:
        """Bring an agent number to a link; call ``resume`` once the reply is written.

        A login on another link takes the number over. ``resume_after`` acknowledges nothing.
        """
        before = self._logins.get(agent)
        if before is not None and before.outlet is not outlet:
            before.outlet.taken_over(agent)
        last = self._kept.get(agent, 0)
        waiting = self._store.events(agent)
        first = waiting[0].sequence if waiting and waiting[0].sequence <= last else last + 1
        beyond = resume_after > last
        self._logins[agent] = _Login(outlet, 0 if beyond else resume_after)
        detail = f"resume_after {resume_after} lies beyond the last sequence {last}" if beyond else ""
        return AgentLoginReply(Status.EXPIRED if beyond else Status.OK, first, last, detail)

    def logout(self, agent: str, outlet: AgentOutlet) -> bool:
        """Take an agent number from a link; False when it wasn't logged in there."""
        if not self.is_on(agent, outlet):
            return False
        del self._logins[agent]
        self._forget_if_unused(agent)
        return True

    def is_here(self, agent: str) -> bool:
        """Whether the agent number is logged in anywhere."""
        return agent in self._logins

    def is_on(self, agent: str, outlet: AgentOutlet) -> bool:
        """Whether the agent number is logged in on this link."""
        login = self._logins.get(agent)
        return login is not None and login.outlet is outlet

    @property
    def logged_in(self) -> int:
        """How many agent numbers are logged in."""
        return len(self._logins)

    # ------------------------------------------------------------ room

    def has_room(self, agent: str, size: int = LEAST_END) -> bool:
        """Whether the mailbox takes one more event beside those reserved for ends of calls.

        :param size: what it takes, in bytes; as much as any that the exchange tells by itself unless given.
        """
        ends = self._reserved[agent]
        some = self._store.pending(agent) + ends < self._limits.mailbox
        return some and self.account.takes_event(agent, ends, size)

    def has_room_for_end(self, agent: str, event: StoredEvent) -> bool:
        """Whether the room that is kept for the end of a call is enough for this event, or there is more."""
        return self.account.takes_end(agent, self._reserved[agent], size_of_event(event))

    def reserve(self, agent: str, identity: str) -> None:
        """Keep room for the end of one call of this identity's."""
        self._reserved[agent] += 1
        self.numbers.put(agent, identity)
        self.account.keep_for_end(agent)

    def release(self, agent: str) -> None:
        """Give back the room kept for the end of one call."""
        self._reserved[agent] -= 1
        self.account.keep_for_end(agent, -1)
        if not self._reserved[agent]:
            del self._reserved[agent]
            self._forget_if_unused(agent)

    def open_calls(self, agent: str) -> int:
        """How many calls of this agent number hold room."""
        return self._reserved[agent]

    def _forget_if_unused(self, agent: str) -> None:
        """A number that was never sent an event leaves nothing; the numbering of the others goes on for ever."""
        if agent not in self._logins and agent not in self._reserved and not self._store.last_sequence(agent):
            self.numbers.gone(agent)

    def metadata(self, agent: str, identity: str) -> tuple[tuple[str, str], ...]:
        """What a store is to keep with an agent's first event: who brought the number, ``identity`` unless known."""
        if agent in self._kept:
            return ()
        return ((label_of(agent), self.numbers.registered_by(agent) or identity),)

    # ------------------------------------------------------------ events

    def compose(
        self,
        agent: str,
        serial: str,
        condition: Condition,
        status: int = Status.OK,
        fields: Fields = EMPTY,
        about: str | None = None,
    ) -> StoredEvent:
        """The agent's next event, encoded; it is in the mailbox once a change with it is committed.

        :param about: the call that it is about, where that isn't the one with its serial; empty if none.
        :raise FrameTooLong: it would not fit a frame of the agent link.
        """
        sequence = self._store.last_sequence(agent) + 1
        body = self.codec.encode_body(AgentEvent(sequence, agent, serial, condition, status, fields))
        if self.codec.frame_length(body) > self._max_frame:
            raise FrameTooLong(f"an AgentEvent of {len(body)} bytes: the limit is {self._max_frame}")
        expires = self._clock.seconds() + self._limits.mailbox_ttl
        return StoredEvent(agent, sequence, body, expires, serial if about is None else about)

    def awaits(self, serial: str) -> bool:
        """Whether an event of the call with this serial waits in a mailbox, and would be taken for a new call's."""
        return serial in self.account.events_of

    def _serial_of(self, stored: StoredEvent) -> str:
        """The call that an event is about, where the store doesn't keep that apart."""
        event = decoded(self.codec, KIND_OF[AgentEvent], stored.body)
        assert isinstance(event, AgentEvent)
        return "" if _is_arrival(event) else event.serial

    def kept(self, event: StoredEvent) -> None:
        """An event is in the store now: send it to its agent, if there is one."""
        self._kept[event.agent] = max(event.sequence, self._kept.get(event.agent, 0))
        if event.agent not in self._expiry:
            self._expiry.set(event.agent, event.expires)
        self._send(event.agent)

    def acknowledge(self, agent: str, outlet: AgentOutlet, sequence: int) -> None:
        """Drop the agent's events up to ``sequence``; ignored from elsewhere and beyond the last."""
        if self.is_on(agent, outlet) and sequence <= self._kept.get(agent, 0):
            self._counts.agent_events_acknowledged += self._drop(agent, sequence, self._acknowledge_again)

    def resume(self, agent: str, outlet: AgentOutlet) -> None:
        """Send what waits for an agent number on this link."""
        if self.is_on(agent, outlet):
            self._send(agent)

    def _send(self, agent: str) -> None:
        login = self._logins.get(agent)
        kept = self._kept.get(agent, 0)
        if login is None or login.sent >= kept or not login.outlet.writable:
            return
        for event in self._store.events(agent, login.sent):
            if event.sequence > kept or not login.outlet.writable:
                return
            login.sent = event.sequence
            self._counts.agent_events_sent += 1
            login.outlet.send_event(event.body)

    def _drop(self, agent: str, sequence: int, lost: Callable[[str, int], None]) -> int:
        """Drop an agent's events up to ``sequence``; how many have left the mailbox."""
        before = self._store.pending(agent)
        if not before:
            return 0
        # Nobody waits for it: an event that is still there after a crash is merely sent again.
        self.commits.keep(
            Change(dropped=((agent, sequence),)),
            lambda: self._dropped(agent, sequence),
            lambda: lost(agent, sequence),
        )
        return before - self._store.pending(agent)

    def _dropped(self, agent: str, sequence: int) -> None:
        if self._acknowledged.get(agent, inf) <= sequence:
            del self._acknowledged[agent]
        self._watch_oldest(agent)

    def _acknowledge_again(self, agent: str, sequence: int) -> None:
        """Later: the agent may never acknowledge anything more."""
        self._acknowledged[agent] = max(sequence, self._acknowledged.get(agent, 0))
        self._expire_again(agent, sequence)

    def _expire_again(self, agent: str, sequence: int) -> None:
        self._expiry.set(agent, self._clock.seconds() + RETRY_AFTER)

    def _watch_oldest(self, agent: str) -> None:
        waiting = self._store.events(agent)
        if waiting:
            self._expiry.set(agent, self._expires(waiting[0]))
        else:
            self._expiry.clear(agent)

    def _expires(self, event: StoredEvent) -> float:
        if event.sequence > self._of_another_clock.get(event.agent, 0):
            return event.expires
        return min(event.expires, self._started_at + self._limits.mailbox_ttl)

    def _expire(self, agent: str) -> None:
        acknowledged = self._acknowledged.get(agent)
        if acknowledged is not None:
            self._drop(agent, acknowledged, self._acknowledge_again)
            return
        now = self._clock.seconds()
        old = [event.sequence for event in self._store.events(agent) if self._expires(event) <= now]
        if old:
            self._counts.agent_events_expired += self._drop(agent, old[-1], self._expire_again)
        else:
            self._watch_oldest(agent)
