"""Whoever speaks the wire protocol: waits for messages, asks, answers. What carries the bytes is another's."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from .waiting import PATIENCE
from .wire_frames import FieldList, Kind, Message, frame
from .wire_lines import FORMS


class Ended(Exception):
    """The exchange closed the link."""


class Silent(Exception):
    """Nothing came within the time-out."""


class Speaker(ABC):
    """A link that speaks for an agent desk or for an automatic service."""

    def __init__(self, codec: str = "binary", timeout: float = PATIENCE) -> None:
        self.form = FORMS[codec]
        self.timeout = timeout
        self.answers_pings = True
        self.inbox: list[Message] = []
        self.buffer = b""
        self.last_invoke_id = 0
        self.epoch = 0
        """What the last login was told."""

    # What carries the bytes

    @abstractmethod
    def send(self, *frames: bytes) -> None:
        """Send these bytes."""

    @abstractmethod
    def more(self, deadline: float) -> bytes:
        """What has come since; nothing at the end of the link.

        :raise Silent: nothing comes before the deadline, by the clock that never steps.
        """

    @abstractmethod
    def close(self) -> None:
        """Close, and wait until the exchange has closed too."""

    # Messages

    def next_id(self) -> int:
        self.last_invoke_id += 1
        return self.last_invoke_id

    def say(self, kind: Kind, invoke_id: int, **values: Any) -> None:
        """Send a message."""
        self.send(self.form.message(kind, invoke_id, values))

    def _next(self, deadline: float) -> Message:
        while (found := self.form.first(self.buffer)) is None:
            data = self.more(deadline)
            if not data:
                raise Ended
            self.buffer += data
        got, self.buffer = found
        return got

    def read(self, timeout: float | None = None) -> Message:
        """The next message off the link."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            got = self._next(deadline)
            if got.kind is not Kind.PING or not self.answers_pings:
                return got
            self.say(Kind.PONG, got.invoke_id)

    def wait(self, *kinds: Kind, invoke_id: int | None = None, timeout: float | None = None) -> Message:
        """The first message of these kinds (and this invoke id); what comes before stays for later."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        seen = 0
        while True:
            while seen == len(self.inbox):
                self.inbox.append(self.read(deadline - time.monotonic()))
            got = self.inbox[seen]
            if got.kind in kinds and invoke_id in (None, got.invoke_id):
                return self.inbox.pop(seen)
            seen += 1

    def _answer(self, kind: int, invoke_id: int) -> Message:
        """The reply to a request, or the Error about it."""
        kinds = [Kind.ERROR] + ([Kind(kind + 1)] if kind + 1 in set(Kind) else [])
        return self.wait(*kinds, invoke_id=invoke_id)

    def ask_raw(self, kind: int, content: bytes = b"", flags: int = 0) -> Message:
        """Send any binary body under a new invoke id and wait for its reply or its Error."""
        invoke_id = self.next_id()
        self.send(frame(kind, content, invoke_id, flags=flags))
        return self._answer(kind, invoke_id)

    def ask(self, kind: Kind, **values: Any) -> Message:
        """Send a message under a new invoke id and wait for its reply or its Error."""
        invoke_id = self.next_id()
        self.say(kind, invoke_id, **values)
        return self._answer(kind, invoke_id)

    def own_reply(self, kind: Kind, **values: Any) -> Message:
        """Ask, and hold the exchange to answering with the request's own reply."""
        got = self.ask(kind, **values)
        assert got.kind == kind + 1, got
        return got

    def is_open(self) -> bool:
        """Whether a Ping still gets its Pong."""
        try:
            return self.ask(Kind.PING).kind is Kind.PONG
        except (Ended, ConnectionError):
            return False

    def unread(self, wait: float = 0.0) -> list[Message]:
        """Everything that came so far and nobody waited for."""
        time.sleep(wait)
        assert self.is_open()
        taken, self.inbox = self.inbox, []
        return taken

    def until_end(self, timeout: float | None = None) -> list[Message]:
        """Everything up to the end of the link."""
        got, self.inbox = self.inbox, []
        try:
            while True:
                got.append(self.read(timeout))
        except Ended:
            return got

    # Both links

    def bind(self, role: int, identity: str, secret: str, low: int = 2, high: int = 2, features: str = "") -> Message:
        return self.own_reply(
            Kind.BIND,
            role=role,
            identity=identity,
            secret=secret,
            min_version=low,
            max_version=high,
            software="test",
            features=features,
        )

    # Agents

    def login(self, agent: str, resume_after: int = 0, epoch: int | None = None) -> Message:
        """By the epoch that this link was told last, unless another is given."""
        known = self.epoch if epoch is None else epoch
        got = self.own_reply(Kind.AGENT_LOGIN, agent=agent, epoch=known, resume_after=resume_after)
        self.epoch = got["epoch"] or self.epoch
        return got

    def logout(self, agent: str) -> int:
        return int(self.own_reply(Kind.AGENT_LOGOUT, agent=agent)["status"])

    def connect(
        self,
        agent: str,
        serial: str,
        service: str = "alpha",
        number: str = "555",
        fields: FieldList = (),
        reference: str = "",
    ) -> Message:
        return self.own_reply(
            Kind.CONNECT_REQUEST,
            serial=serial,
            agent=agent,
            service=service,
            calling_number=number,
            reference=reference,
            fields=fields,
        )

    def cancel(self, serial: str) -> int:
        return int(self.own_reply(Kind.CANCEL_REQUEST, serial=serial)["status"])

    def update(self, serial: str, fields: FieldList) -> int:
        got = self.own_reply(Kind.UPDATE_REQUEST, serial=serial, fields=fields)
        assert got["serial"] == serial
        return int(got["status"])

    def query(self, agent: str) -> Message:
        return self.own_reply(Kind.CALL_QUERY, agent=agent)

    def event(self, timeout: float | None = None) -> Message:
        return self.wait(Kind.AGENT_EVENT, timeout=timeout)

    def conditions(self, count: int) -> list[int]:
        """The conditions of the next events."""
        return [self.event()["condition"] for _ in range(count)]

    def acknowledge(self, agent: str, sequence: int) -> None:
        self.say(Kind.AGENT_EVENT_ACK, 0, agent=agent, sequence=sequence)

    # Services

    def answer_connection(self, status: int = 0) -> Message:
        """Take the next Connection and answer it."""
        got = self.wait(Kind.CONNECTION)
        self.say(Kind.CONNECTION_REPLY, got.invoke_id, status=status, detail="")
        return got

    def data(self, serial: str, address: str = "") -> Message:
        return self.own_reply(Kind.DATA_REQUEST, serial=serial, exchange_address=address)

    def report(self, serial: str, event_id: int, condition: int = 1, fields: FieldList = (), agent: str = "") -> int:
        got = self.own_reply(
            Kind.SERVICE_EVENT, event_id=event_id, serial=serial, agent=agent, condition=condition, fields=fields
        )
        assert got["event_id"] == event_id
        return int(got["status"])

    def answer_end(self) -> tuple[str, int]:
        """Take the next CallEnded and answer it: its serial and condition."""
        got = self.wait(Kind.CALL_ENDED)
        assert got.invoke_id != 0
        self.say(Kind.CALL_ENDED_REPLY, got.invoke_id)
        return got["serial"], got["condition"]

    def answer_change(self) -> str:
        """Take the next DataChanged and answer it: its serial."""
        got = self.wait(Kind.DATA_CHANGED)
        assert got.invoke_id != 0
        self.say(Kind.DATA_CHANGED_REPLY, got.invoke_id)
        return str(got["serial"])
