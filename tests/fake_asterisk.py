"""An Asterisk that only speaks its manager interface: logs a user in, answers what it was told, tells events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import md5
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

SECRET = "the-secret-of-the-manager"
_CHALLENGE = "840415273"
Headers = dict[str, str]
Answer = Callable[[Headers], None]


class _Connection(LineReceiver):
    """One manager session; reads whole actions."""

    def __init__(self, asterisk: FakeAsterisk) -> None:
        self._asterisk = asterisk
        self._lines: Headers = {}

    def connectionMade(self) -> None:
        self._asterisk.connection = self
        self.sendLine(b"Asterisk Call Manager/9.0.0")

    def dataReceived(self, data: bytes) -> None:
        self._asterisk.received += data
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if line:
            key, _, value = line.decode().partition(": ")
            self._lines[key] = value
        elif self._lines:
            action, self._lines = self._lines, {}
            if not self._asterisk.silent:
                self._asterisk.take(action)

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self._asterisk.connection is self:
            self._asterisk.connection = None
        self._asterisk.ended()


class FakeAsterisk:
    """The manager interface of an Asterisk without calls. ``act`` may be taken over to have some."""

    def __init__(self) -> None:
        self.received = b""
        self.logins: list[Headers] = []
        self.silent = False
        self.secret = SECRET
        self.answers_backwards = False
        self.connection: _Connection | None = None
        self._held: list[bytes] = []
        self._channels: list[Headers] = []
        self._bridges: list[Headers] = []
        self._waiting: list[Deferred[None]] = []

    async def listen(self, reactor: Any) -> IListeningPort:
        """Listen on a free port of loopback."""
        factory = Factory.forProtocol(self.protocol)
        factory.noisy = False
        port: IListeningPort = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
        return port

    def protocol(self) -> LineReceiver:
        """The other end of a connection."""
        return _Connection(self)

    def set_channels(self, channels: Sequence[Headers], bridges: Sequence[Headers] = ()) -> None:
        """What ``Status`` and ``BridgeList`` tell."""
        self._channels, self._bridges = list(channels), list(bridges)

    # ------------------------------------------------------------ what it says

    def write(self, data: bytes) -> None:
        """Any bytes."""
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.write(data)

    def say(self, *pairs: tuple[str, str]) -> None:
        """A message."""
        self.write("".join(f"{key}: {value}\r\n" for key, value in pairs).encode() + b"\r\n")

    def tell(self, event: str, **headers: str) -> None:
        """An event."""
        self.say(("Event", event), *headers.items())

    def succeed(self, action: Headers, *pairs: tuple[str, str]) -> None:
        """Answer that all is well."""
        self.say(("Response", "Success"), ("ActionID", action["ActionID"]), *pairs)

    def fail(self, action: Headers, message: str) -> None:
        """Answer that it can't be done."""
        self.say(("Response", "Error"), ("ActionID", action["ActionID"]), ("Message", message))

    def cut(self) -> None:
        """Break the connection."""
        transport: Any = None if self.connection is None else self.connection.transport
        if transport is not None:
            transport.abortConnection()

    def ended(self) -> None:
        """A connection is gone."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def gone(self) -> None:
        """Wait until nobody is connected."""
        if self.connection is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    # ------------------------------------------------------------ what it is asked

    def take(self, action: Headers) -> None:
        """An action has come."""
        match action["Action"]:
            case "Challenge":
                self.succeed(action, ("Challenge", _CHALLENGE))
            case "Login":
                self._log_in(action)
            case "Status":
                self._list(action, "Status", self._channels)
            case "BridgeList":
                self._list(action, "BridgeListItem", self._bridges)
            case _:
                self.act(action)

    def _log_in(self, action: Headers) -> None:
        right = md5((_CHALLENGE + self.secret).encode(), usedforsecurity=False).hexdigest()
        if action["Key"] != right or action["Username"] != "ctiex":
            self.fail(action, "Authentication failed")
            return
        self.logins.append(action)
        self.succeed(action, ("Message", "Authentication accepted"))

    def _list(self, action: Headers, event: str, rows: list[Headers]) -> None:
        own = ("ActionID", action["ActionID"])
        self.succeed(action, ("EventList", "start"))
        for row in rows:
            variables = [("Variable", one) for one in row.get("Variables", "").split(",") if one]
            told = [(key, value) for key, value in row.items() if key != "Variables"]
            self.say(("Event", event), own, *told, *variables)
        self.say(("Event", f"{event}Complete"), own, ("EventList", "Complete"))

    def act(self, action: Headers) -> None:
        """What else it may be asked."""
        match action["Action"]:
            case "Getvar":
                answer = ("Response", "Success"), ("ActionID", action["ActionID"])
                value = ("Value", f"value of {action['Variable']}")
                self._say_backwards((*answer, value)) if self.answers_backwards else self.say(*answer, value)
            case "NeverAnswered":
                pass
            case "Hangup":
                self.fail(action, "No such channel")
            case _:
                self.succeed(action)

    def _say_backwards(self, message: Sequence[tuple[str, str]]) -> None:
        """Two answers, the second one first."""
        self._held.insert(0, "".join(f"{key}: {value}\r\n" for key, value in message).encode() + b"\r\n")
        if len(self._held) == 2:
            self.write(b"".join(self._held))
            self._held.clear()
