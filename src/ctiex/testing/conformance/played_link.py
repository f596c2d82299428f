"""The exchange's end of one link to a client under test. It only reads and writes; the plays know the rules."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ctiex.errors import CodecError
from ctiex.interfaces import Extensions, ICodec
from ctiex.messages import DEFAULT_MAX_FRAME, KIND_OF, KINDS, REPLY_OF, Error, Message, Ping, Pong, Unbind, UnbindReply

_Kind = TypeVar("_Kind", bound=Message)
_CLOSE_WITHIN = 5.0
"""How long a client may leave a link open that is over, in seconds."""


@frozen
class Said:
    """A message of the client, with its invoke id."""

    invoke_id: int
    message: Message
    at: float
    """When it came, in seconds of the clock."""


@define
class Manners:
    """How the exchange talks on a link."""

    extensions: Extensions = ()
    """Behind each of its messages."""
    byte_by_byte: bool = False
    silent: bool = False
    """Whether nothing at all goes out any more."""


class PlayedLink(Protocol):
    """One link, as the exchange sees it; keeps what the client said until it is taken."""

    def __init__(self, clock: Any, codec: ICodec, changed: Callable[[PlayedLink, Said | None], object]) -> None:
        """:param changed: hears each message, and None when anything else has happened."""
        self._clock = clock
        self.codec = codec
        self._changed = changed
        self.manners = Manners()
        self.said: list[Said] = []
        """What the client said and nobody has taken so far: neither Ping, Pong nor Error."""
        self.complaints: list[Said] = []
        """Its Errors, until they are taken."""
        self.fault = ""
        """What it sent that can't be read."""
        self.opened_at = 0.0
        """When the client connected, in seconds of the clock."""
        self.pings = 0
        self.pongs: set[int] = set()
        """The invoke ids of its Pongs."""
        self.lost = False
        self.closed_here = False
        """Whether this side closed it."""
        self.unbound = False
        """Whether the client has said Unbind."""
        self.acknowledged = 0
        """The last event that it has acknowledged."""
        self.logged_in = False
        """Whether a login was granted here: further ones are answered at once from then on."""
        self.logins_again = 0
        """How many of those have come."""
        self._last_invoke_id = 0
        self._waiting: deque[bytes] = deque()
        self._ending: IDelayedCall | None = None
        self._decoder = codec.decoder(DEFAULT_MAX_FRAME)

    # ------------------------------------------------------------ what goes out

    def send(self, message: Message, invoke_id: int | None = None) -> int:
        """Write a message, under an id of its own unless one is given; gives the id."""
        if invoke_id is None:
            self._last_invoke_id = invoke_id = self._last_invoke_id + 1
        body = self.codec.encode_body(message)
        self.write(self.codec.frame(KIND_OF[type(message)], invoke_id, body, self.manners.extensions))
        return invoke_id

    def write(self, data: bytes) -> None:
        """Write any bytes; what goes out on a link that is gone is nobody's."""
        if self.manners.silent or self.lost:
            return
        if not self.manners.byte_by_byte:
            self._transport.write(data)
            return
        begins = not self._waiting
        self._waiting.extend(data[at : at + 1] for at in range(len(data)))
        if begins:
            self._write_next()

    def _write_next(self) -> None:
        if self._waiting and not self.lost:
            self._transport.write(self._waiting.popleft())
            self._clock.callLater(0, self._write_next)
        elif self.closed_here:
            self._transport.loseConnection()

    def agree(self, max_frame: int) -> None:
        """Frames of the client may be so long from now on; 0 is the default."""
        self._decoder.max_frame = max_frame or DEFAULT_MAX_FRAME

    def close(self) -> None:
        """Close it, once all is written."""
        self.closed_here = True
        if not self._waiting:
            self._transport.loseConnection()
        self._end_later(self._transport.abortConnection)

    def _end_later(self, end: Callable[[], object]) -> None:
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        self._ending = None if self.lost else self._clock.callLater(_CLOSE_WITHIN, end)

    @property
    def _transport(self) -> Any:
        assert self.transport is not None, "there is no link yet"
        return self.transport

    # ------------------------------------------------------------ what comes in

    def connectionMade(self) -> None:
        """Every byte goes out at once."""
        self.opened_at = self._clock.seconds()
        if hasattr(self._transport, "setTcpNoDelay"):
            self._transport.setTcpNoDelay(True)
        self._changed(self, None)

    def dataReceived(self, data: bytes) -> None:
        """Read what can be read."""
        self._decoder.receive(data)
        try:
            for frame in self._decoder.frames():
                self._received(Said(frame.invoke_id, self.codec.decode_body(frame), self._clock.seconds()))
        except CodecError as error:
            self.fault = f"sent a frame that can't be read: {error}"
        self._changed(self, None)

    def _received(self, said: Said) -> None:
        match said.message:
            case Ping():
                self.pings += 1
                self.send(Pong(), said.invoke_id)
            case Pong():
                self.pongs.add(said.invoke_id)
            case Error():
                self.complaints.append(said)
            case _:
                self._keep(said)

    def _keep(self, said: Said) -> None:
        kind = type(said.message)
        if kind in REPLY_OF and kind is not Unbind and not said.invoke_id:  # Unbind alone may have 0
            self.fault = f"sent a {kind.__name__} under invoke id 0"
        self.said.append(said)
        self._changed(self, said)

    def take(self, kind: type[_Kind], wanted: Callable[[_Kind], bool] = lambda message: True) -> Said | None:
        """The first message of this class that nobody has taken; it is taken by that."""
        for said in self.said:
            if isinstance(said.message, kind) and wanted(said.message):
                self.said.remove(said)
                return said
        return None

    def holds(self, kind: type[Message]) -> bool:
        """Whether the client has said a message of this class that nobody has taken."""
        return any(isinstance(said.message, kind) for said in self.said)

    def reply_to(self, invoke_id: int, kind: type[Message]) -> Said | None:
        """The client's reply of this class under this id; it is taken by that."""
        found = next((one for one in self.said if one.invoke_id == invoke_id and isinstance(one.message, kind)), None)
        if found is not None:
            self.said.remove(found)
        return found

    def goodbye(self, invoke_id: int) -> None:
        """Answer the client's Unbind; the client closes the link then."""
        self.unbound = True
        self.send(UnbindReply(), invoke_id)
        self._end_later(self.close)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The link is gone."""
        self.lost = True
        self._waiting.clear()
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        self._changed(self, None)


def complaint_in_words(said: Said) -> str:
    """An Error that the client sent."""
    assert isinstance(said.message, Error)
    about = KINDS.get(said.message.about)
    name = f"kind {said.message.about:#x}" if about is None else about.__name__
    return f"answered Error {said.message.status} about {name}: {said.message.detail}"
