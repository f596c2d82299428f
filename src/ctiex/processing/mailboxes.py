"""The mailboxes of agents: numbered events, replayed until acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ctiex.errors import FrameTooLong, Status
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import ICodec, decoded
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import KIND_OF, AgentEvent, AgentLogin, AgentLoginReply, Condition
from ctiex.monitoring.observer import Observer
from ctiex.processing.account import ByteAccount
from ctiex.processing.commits import RETRY_AFTER, Commits
from ctiex.processing.presence import AgentConnection, AgentPresence, label_of
from ctiex.processing.stored_time import StoredTime
from ctiex.processing.timer_wheel import TimerWheel
from ctiex.records import Call, Change, StoredEvent
from ctiex.serials import names_a_told_call
from ctiex.stores.index import CallIndex


def arrival(calling_number: str) -> Fields:
    """The fields of the event that tells an agent's application of a call that has come to the agent."""
    return Fields({"event": "call", "calling_number": calling_number})


def serial_of(codec: ICodec, stored: StoredEvent) -> str:
    """The call that an event is about, where the store doesn't keep that apart.

    One that reports an arrived call belongs to no stored call, and its serial may be used.
    """
    event = decoded(codec, KIND_OF[AgentEvent], stored.body)
    assert isinstance(event, AgentEvent)
    told = event.condition == Condition.PROGRESS and names_a_told_call(event.serial)
    return "" if told and event.fields.get("event") == "call" else event.serial


class Mailboxes:
    """Numbers, keeps, sends and drops the events of agents."""

    def __init__(
        self,
        store: CallIndex,
        codec: ICodec,
        link: SessionLimits,
        limits: Limits,
        clock: StoredTime,
        observer: Observer,
        commits: Commits,
        presence: AgentPresence,
        account: ByteAccount,
    ) -> None:
        """:param codec: of the agent link, as ``link`` has its limits."""
        self._store = store
        self._codec = codec
        self._link = link
        self._limits = limits
        self._clock = clock
        self._observer = observer
        self._commits = commits
        self._presence = presence
        self._account = account
        self.epoch = 0
        """Which numbering the sequences belong to."""
        self._committed: dict[str, int] = {}
        """By agent: the last event that is committed."""
        self._of_another_clock: dict[str, int] = {}
        """By agent: the last event that another wall clock would keep for longer than any may be kept."""
        self._started_at = clock.seconds()
        self._acknowledged: dict[str, int] = {}
        """By agent: up to where the store was to drop acknowledged events, and didn't."""
        self._expiry = TimerWheel(clock, self._expire, commits.settled)

    def start(self) -> None:
        """Take up the mailboxes of an opened store."""
        self._started_at = self._clock.seconds()
        for agent in self._store.agents():
            self._committed[agent] = self._store.last_sequence(agent)
            registered_by = self._store.metadata(label_of(agent))
            if registered_by is not None:  # a file of an earlier version doesn't say: then it counts for no identity
                self._presence.put(agent, registered_by)
            waiting = self._store.events(agent)
            if waiting:
                self._account.add_events(waiting, 1)
            if any(event.expires > self._started_at + self._limits.mailbox_ttl for event in waiting):
                self._of_another_clock[agent] = waiting[-1].sequence
            self._watch_oldest(agent)

    def stop(self) -> None:
        """Let go of the timers."""
        self._expiry.stop()

    def login(self, connection: AgentConnection, login: AgentLogin) -> AgentLoginReply:
        """Bring an agent number to a link; call ``resume`` once the reply is written.

        A login on another link takes the number over. ``resume_after`` acknowledges nothing.
        """
        agent = login.agent
        last = self._committed.get(agent, 0)
        waiting = self._store.events(agent)
        first = waiting[0].sequence if waiting and waiting[0].sequence <= last else last + 1
        anew = self._why_anew(login, last)
        self._presence.login(agent, connection, 0 if anew or not login.epoch else login.resume_after)
        return AgentLoginReply(Status.NUMBERING_ANEW if anew else Status.OK, self.epoch, first, last, anew)

    def _why_anew(self, login: AgentLogin, last: int) -> str:
        """Why the position that a client has is none of this numbering; empty where it is one, or it has none."""
        if login.epoch not in (0, self.epoch):
            return "the epoch is another one"
        beyond = login.epoch and login.resume_after > last
        return f"resume_after {login.resume_after} is beyond the last sequence {last}" if beyond else ""

    def metadata(self, agent: str, identity: str) -> tuple[tuple[str, str], ...]:
        """What a store is to keep with an agent's first event: who brought the number, ``identity`` unless known."""
        if agent in self._committed:
            return ()
        return ((label_of(agent), self._presence.registered_by(agent) or identity),)

    # ------------------------------------------------------------ events

    def compose(
        self,
        call: Call,
        condition: Condition,
        status: int = Status.OK,
        fields: Fields = EMPTY,
        time: int | None = None,
    ) -> StoredEvent:
        """The next event of a call's agent, encoded; it is in the mailbox once a change with it is committed.

        :param time: when it happened; now unless given.
        :raise FrameTooLong: it would not fit a frame of the agent link.
        """
        return self._composed(
            call.agent, call.serial, call.reference, condition, status, fields, about=call.serial, time=time
        )

    def compose_arrival(self, agent: str, serial: str, calling_number: str) -> StoredEvent:
        """The event that tells an agent of a call that has come, under a serial that is free for it.

        :raise FrameTooLong: it would not fit a frame of the agent link.
        """
        return self._composed(agent, serial, "", Condition.PROGRESS, Status.OK, arrival(calling_number), about="")

    def _composed(
        self,
        agent: str,
        serial: str,
        reference: str,
        condition: Condition,
        status: int,
        fields: Fields,
        *,
        about: str,
        time: int | None = None,
    ) -> StoredEvent:
        """Number and encode an event.

        :param about: the stored call that it is about; empty if none.
        """
        sequence = self._store.last_sequence(agent) + 1
        when = self._clock.now() if time is None else time
        event = AgentEvent(sequence, when, agent, serial, reference, condition, status, fields)
        body = self._codec.encode_body(event)
        if self._codec.frame_length(body) > self._link.max_frame:
            raise FrameTooLong(f"an AgentEvent of {len(body)} bytes: the limit is {self._link.max_frame}")
        return StoredEvent(agent, sequence, body, self._clock.seconds() + self._limits.mailbox_ttl, about)

    def awaits(self, serial: str) -> bool:
        """Whether an event of the call with this serial waits in a mailbox, and would be taken for a new call's."""
        return serial in self._account.events_of

    def committed(self, event: StoredEvent) -> None:
        """An event is in the store now: send it to its agent, if there is one."""
        self._committed[event.agent] = max(event.sequence, self._committed.get(event.agent, 0))
        if event.agent not in self._expiry:
            self._expiry.set(event.agent, event.expires)
        self._send(event.agent)

    def acknowledge(self, agent: str, connection: AgentConnection, sequence: int) -> None:
        """Drop the agent's events up to ``sequence``; ignored from elsewhere and beyond the last."""
        if self._presence.is_on(agent, connection) and sequence <= self._committed.get(agent, 0):
            dropped = self._drop(agent, sequence, self._acknowledge_again)
            if dropped:
                self._observer.agent_events_acknowledged(dropped)

    def resume(self, agent: str, connection: AgentConnection) -> None:
        """Send what waits for an agent number on this link."""
        if self._presence.is_on(agent, connection):
            self._send(agent)

    def _send(self, agent: str) -> None:
        login = self._presence.login_of(agent)
        committed = self._committed.get(agent, 0)
        if login is None or login.sent >= committed or not login.connection.writable:
            return
        for event in self._store.events(agent, login.sent):
            if event.sequence > committed or not login.connection.writable:
                return
            login.sent = event.sequence
            self._observer.agent_event_sent()
            login.connection.send_event(event.body)

    def _drop(self, agent: str, sequence: int, failed: Callable[[str, int], None]) -> int:
        """Drop an agent's events up to ``sequence``; how many have left the mailbox."""
        before = self._store.pending(agent)
        if not before:
            return 0
        # Nothing waits for it: an event that is still there after a crash is just sent again.
        self._commits.commit(
            Change(dropped=((agent, sequence),)),
            lambda: self._dropped(agent, sequence),
            lambda: failed(agent, sequence),
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
            dropped = self._drop(agent, old[-1], self._expire_again)
            if dropped:
                self._observer.agent_events_expired(agent, dropped)
        else:
            self._watch_oldest(agent)
