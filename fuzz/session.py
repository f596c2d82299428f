"""Harness: any bytes and any time to the exchange's end of a session, in any state.

The first byte says how it begins: bit 0 the codec, bits 1 and 2 unbound, bound as agent, as service, or with a Bind
that is still looked at; bit 3 whether requests are answered. Behind it: a byte with a length and so many bytes that
arrive, or 255 and a number of seconds that pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctiex.messages import Bind, Error, Message

_TICK = 255


class _Above:
    """Stands above a session; answers when it is told to."""

    def __init__(self, answers: bool, binds: bool) -> None:
        self.session: Any = None
        self._answers, self._binds = answers, binds

    def request_received(self, message: Message, invoke_id: int) -> None:
        from ctiex.errors import Status
        from ctiex.links.refusals import refusal
        from ctiex.messages import REPLY_OF

        if self._answers and type(message) in REPLY_OF:
            self.session.reply(refusal(message, Status.OK), invoke_id)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        from ctiex.messages import BindReply

        if self._binds:
            status = 0 if bind.secret == "y" else 11
            self.session.bound(BindReply(status, features=bind.features), invoke_id, bind.role)

    def error_received(self, error: Error) -> None:
        """Nothing to do."""


class _Talk:
    """A session, and everything that it has written."""

    def __init__(self, choice: int) -> None:
        from ctiex.codecs.binary import BinaryCodec
        from ctiex.codecs.json import JsonCodec
        from ctiex.limits import SessionLimits
        from ctiex.links.session import Session
        from ctiex.messages import Bind, Role

        self.codec: Any = JsonCodec() if choice & 1 else BinaryCodec()
        state = choice >> 1 & 3
        above: Any = _Above(bool(choice & 8), binds=state != 3)
        self.session = above.session = Session(self.codec, SessionLimits(), above, 0.0)
        self._reader = self.codec.decoder(1 << 24)
        self.said: list[Message] = []
        if state:
            features = "calls" if choice & 16 and state == 1 else ""
            bind = Bind(Role.SERVICE if state == 2 else Role.AGENT, "x", "y", features=features)
            self.receive(self.codec.frame(1, 1, self.codec.encode_body(bind)), 0.0)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes arrive."""
        self.session.receive(data, now)
        self.take()

    def tick(self, now: float) -> None:
        """Time passes."""
        self.session.tick(now)
        self.take()

    def take(self) -> None:
        """Read what was written: all of it has to be whole messages."""
        for _ in range(64):
            self._reader.receive(self.session.take_output())
            self.said += [self.codec.decode_body(frame) for frame in self._reader.frames()]
            if not self.session.held or self.session.ended is not None:
                break
            self.session.read_on()
        assert self._reader.buffered() == 0, "a part of a frame was written"


def TestOneInput(data: bytes) -> None:  # noqa: N802 (atheris calls it so)
    """One conversation: the session never raises, writes whole messages, and ends for the reasons of the wire alone.

    :raise AssertionError: a promise of the session was broken.
    """
    talk = _Talk(data[0] if data else 0)
    now = 0.0
    for step in _steps(data[1:]):
        if isinstance(step, int):
            now += step
            talk.tick(now)
        else:
            talk.receive(step, now)
        if talk.session.ended is not None:
            break
    _check_end(talk)
    if talk.session.ended is not None:
        said = len(talk.said)
        talk.receive(b"\0" * 12, now)
        talk.tick(now + 1)
        assert len(talk.said) == said, "something was written behind the end"


def _steps(data: bytes) -> Iterator[bytes | int]:
    at = 0
    while at < len(data):
        count = data[at]
        if count == _TICK:
            yield data[at + 1] if at + 1 < len(data) else 1
            at += 2
        else:
            yield data[at + 1 : at + 1 + (count or 1 << 16)]
            at += 1 + (count or 1 << 16)


def _check_end(talk: _Talk) -> None:
    from ctiex.messages import BindReply, Error, UnbindReply

    reason = talk.session.ended
    if reason is None:
        return
    last = talk.said[-1] if talk.said else None
    told = (
        (isinstance(last, Error) and last.status in (1, 3, 4))
        or isinstance(last, UnbindReply)
        or (isinstance(last, BindReply) and last.status != 0)
    )
    assert told or reason.startswith(("not bound", "timed out: two pings")), f"ended with {reason!r} behind {last}"
