"""A witness at an Asterisk's manager interface, independent of the driver that is tested."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from .happenings import PATIENCE, Happenings

USER, SECRET = "witness", "seen"
ManagerMessage = dict[str, str]
Wanted = Callable[[ManagerMessage], bool]
_BEGINS = {"Newchannel": "Uniqueid", "BridgeCreate": "BridgeUniqueid"}
_ENDS = {"Hangup": "Uniqueid", "BridgeDestroy": "BridgeUniqueid"}
"""The events that channels and bridges begin and end with, each with the header that tells which one it is."""


class Standing:
    """What stands on an Asterisk, by its events: each channel from its Newchannel to its Hangup, each bridge likewise.

    Its lists tell the same a moment later: an Asterisk still lists a channel for a moment behind its Hangup.
    """

    def __init__(self) -> None:
        self.now: dict[str, str] = {}
        """Channels and bridges that stand, by id, in words."""
        self.joined: dict[str, str] = {}
        """The channels that are in a bridge, by name, each with the bridge's id."""
        self._over: set[str] = set()

    def take(self, event: ManagerMessage) -> None:
        """Something has happened."""
        name = event.get("Event", "")
        if name in _BEGINS:
            one = event[_BEGINS[name]]
            self.now[one] = event.get("Channel", f"bridge {one}")
        elif name in _ENDS:
            one = event[_ENDS[name]]
            self.now.pop(one, None)
            self._over.add(one)
        elif name == "BridgeEnter":
            self.joined[event["Channel"]] = event["BridgeUniqueid"]
        elif name == "BridgeLeave":
            self.joined.pop(event["Channel"], None)

    def untold(self, listed: list[ManagerMessage]) -> list[ManagerMessage]:
        """Those of a list of channels or bridges whose end wasn't told."""
        return [row for row in listed if row.get("Uniqueid", row.get("BridgeUniqueid")) not in self._over]


class _ManagerProtocol(LineOnlyReceiver):
    delimiter = b"\r\n"
    MAX_LENGTH = 1 << 20

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._message: ManagerMessage = {}
        self._banner = True

    def lineReceived(self, line: bytes) -> None:
        if self._banner:
            self._banner = False
        elif line:
            name, _, value = line.decode(errors="replace").partition(": ")
            self._message[name] = f"{self._message[name]}\n{value}" if name in self._message else value
        else:
            message, self._message = self._message, {}
            self._witness.happened.tell(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._witness.lost(self)


class Witness:
    """Sees every event of one Asterisk, and may ask."""

    def __init__(self, reactor: Any, host: str) -> None:
        self._reactor = reactor
        self.happened: Happenings[ManagerMessage] = Happenings(reactor, f"manager of {host}")
        self.standing = Standing()
        self.happened.listeners.append(lambda event: self.standing.take(event))
        self._endpoint = TCP4ClientEndpoint(reactor, host, 5038)
        self._protocol: _ManagerProtocol | None = None
        self._ids = itertools.count(1)

    async def log_in(self) -> None:
        """Connect to an Asterisk that has no call yet, and wait until it is ready for them."""
        self.standing = Standing()
        mark = len(self.happened)
        self._protocol = await connectProtocol(self._endpoint, _ManagerProtocol(self))
        await self.ask("Login", Username=USER, Secret=SECRET)
        await self.event("FullyBooted", mark)

    async def log_out(self) -> None:
        """Leave."""
        if self._protocol is not None:
            mark = len(self.happened)
            self._protocol.transport.loseConnection()
            await self.event("(gone)", mark)

    def lost(self, protocol: _ManagerProtocol) -> None:
        """The connection is gone."""
        if protocol is self._protocol:
            self._protocol = None
        self.happened.tell({"Event": "(gone)"})

    async def event(self, event_name: str, since: int = 0, patience: float = PATIENCE, **fields: str) -> ManagerMessage:
        """The first event of this name with these fields."""

        def wanted(message: ManagerMessage) -> bool:
            return message.get("Event") == event_name and all(message.get(key) == fields[key] for key in fields)

        return await self.happened.wait(wanted, f"{event_name} {fields}", since, patience)

    async def ask(self, action: str, **fields: str) -> ManagerMessage:
        """Send an action; its response.

        :raise AssertionError: it was refused.
        """
        response = await self._send(action, fields, lambda message: "Response" in message)
        assert response["Response"] in ("Success", "Follows"), response
        return response

    async def list(self, action: str, end: str, **fields: str) -> list[ManagerMessage]:
        """Send an action whose answer is a list of events; the events."""
        mark = len(self.happened)
        last = await self._send(action, fields, lambda message: message.get("Event") == end)
        return [
            message
            for message in self.happened.since(mark)
            if message.get("ActionID") == last["ActionID"] and message.get("Event") not in (None, end)
        ]

    async def command(self, words: str) -> str:
        """What a command of its console prints."""
        return (await self.ask("Command", Command=words)).get("Output", "")

    async def channels(self) -> list[ManagerMessage]:
        """The channels that are up."""
        return await self.list("CoreShowChannels", "CoreShowChannelsComplete")

    async def bridges(self) -> list[ManagerMessage]:
        """The bridges that stand."""
        return await self.list("BridgeList", "BridgeListComplete")

    async def empty(self) -> None:
        """Wait until every channel and every bridge has told its end, and see that there are no others.

        :raise NeverHappened: some are left.
        """
        mark = len(self.happened)
        if self.standing.now:
            words = f"the end of {', '.join(self.standing.now.values())}"
            await self.happened.wait(lambda _: not self.standing.now, words, mark)
        untold = self.standing.untold([*await self.channels(), *await self.bridges()])
        assert not untold, untold

    async def _send(self, action: str, fields: dict[str, str], done: Wanted) -> ManagerMessage:
        assert self._protocol is not None, "log in first"
        number = f"witness-{next(self._ids)}"
        mark = len(self.happened)
        lines = [f"Action: {action}", f"ActionID: {number}", *(f"{name}: {value}" for name, value in fields.items())]
        self._protocol.transport.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        return await self.happened.wait(
            lambda message: message.get("ActionID") == number and done(message), f"the answer to {action}", mark
        )
