"""The two ends of an exchange that hand markers over, and everything that was said to others meanwhile."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, ServedCall
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import CallError, CtiexError
from ctiex.fields import Fields, Value
from ctiex.interfaces import ICodec
from ctiex.messages import KIND_OF, AgentEvent, Bind, Condition, ConnectRequest, DataResult, Message, Ping, Role
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

from .marker_exchange import WatchedExchange
from .marker_search import Markers
from .waiting import PATIENCE, eventually

reactor: Any = _reactor
_CUSTOMER = "13800138000"


class Evidence:
    """Everything that was said to somebody who may not know the secrets."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def add(self, name: str, text: str | bytes) -> None:
        """Something was said."""
        self.texts[f"{name} #{len(self.texts)}"] = text.encode(errors="replace") if isinstance(text, str) else text

    def folder(self, folder: Path) -> None:
        """Every file that is there now, but the configuration and the plugin, in which secrets were put by hand."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".toml", ".py", ".pyc", ".cache"):
                self.add(path.name, path.read_bytes())


class Play:
    """The two ends of an exchange, with a marker in whatever is secret."""

    def __init__(self, exchange: WatchedExchange, codec: ICodec, markers: Markers, desk: str, ivr: str) -> None:
        self.exchange, self.codec, self.markers = exchange, codec, markers
        self.evidence = Evidence()
        self.seen: list[Fields] = []
        """What the services got."""
        self.told: list[AgentEvent] = []
        """What the agents got."""
        self.go_on = False
        self.desk_secret, self.ivr_secret = desk, ivr
        self.agents = self.agent_client()
        handlers = {
            "8001": self.vault, "8002": self.slow, "8003": self.deaf, "8006": self.vault
        }  # fmt: skip
        self.services = AutomaticService(
            reactor, self.account(exchange.service_port, "ivr", ivr), handlers, lambda call: ScriptedMedia()
        )

    def account(self, port: int, identity: str, secret: str) -> ExchangeAccount:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        return ExchangeAccount(endpoint, identity, secret, self.codec, longest_retry=0.2, jitter=lambda: 0.05)

    def agent_client(self) -> AgentClient:
        return AgentClient(reactor, self.account(self.exchange.agent_port, "desk", self.desk_secret))

    # ------------------------------------------------------------ what the services do

    async def vault(self, call: ServedCall) -> Outcome:
        """Gets every type of secret, and gives every type of secret."""
        fields = await call.data()
        self.seen.append(fields)
        try:
            await call.progress(Fields({"token": self.markers.text("progress token")}))
        except CallError as error:
            self.evidence.add("an answer to progress", repr(error))
        return Outcome(Condition.COMPLETED, self.result())

    async def slow(self, call: ServedCall) -> Outcome:
        """Reports when its agent has gone."""
        self.seen.append(await call.data())
        while not self.go_on:
            await deferLater(reactor, 0.05)
        return Outcome(Condition.COMPLETED, self.result())

    async def deaf(self, call: ServedCall) -> Outcome:
        """Never asks for the data."""
        await deferLater(reactor, 5)
        return Outcome(Condition.COMPLETED)

    def request(self, **more: Value) -> Fields:
        markers = self.markers
        secret = {"pin": markers.text("pin"), "account": markers.integer("account"), "key": markers.data("key")}
        return Fields({**secret, **more})

    def result(self) -> Fields:
        markers = self.markers
        return Fields(
            {"token": markers.text("token"), "score": markers.integer("score"), "stamp": markers.data("stamp")}
        )

    # ------------------------------------------------------------ what agents do

    async def hand_over(self, agent: AgentNumber, service: str, fields: Fields) -> AgentEvent | None:
        """A hand-off to its end; None where it is refused."""
        try:
            hand_off = await agent.connect(service, _CUSTOMER, fields)
            final = await hand_off.result(PATIENCE)
        except CtiexError as error:
            self.evidence.add(f"an answer about {service}", f"{error!r} {error}")
            return None
        self.told.append(final)
        return final

    async def refused(self, agent: AgentNumber) -> None:
        """Requests that fail in every way there is."""
        assert await self.hand_over(agent, "nowhere", self.request()) is None
        assert await self.hand_over(agent, "telltale", self.request()) is None
        assert await self.hand_over(agent, "telltale-fields", self.request()) is None
        long = self.markers.text("long pin")
        assert await self.hand_over(agent, "slow", self.request(pin=long * 90)) is None  # 35
        assert await self.hand_over(agent, "slow", self.request(pin=long * 2000)) is None  # no frame at all

    async def updated(self, agent: AgentNumber) -> None:
        """A call whose data is corrected, and couldn't be corrected otherwise."""
        hand_off = await agent.connect("slow", _CUSTOMER, self.request())
        await eventually(lambda: self.services.calls > 0)
        await hand_off.update(
            Fields({"pin": self.markers.text("corrected pin"), "account": self.markers.integer("new account")})
        )
        long = Fields({"pin": self.markers.text("long correction") * 90})
        try:
            await hand_off.update(long)
        except CallError as error:
            self.evidence.add("an answer to a correction", repr(error))
        else:
            raise AssertionError("it doesn't fit a frame of the service")
        await hand_off.cancel()
        assert (await hand_off.result(PATIENCE)).condition is Condition.CANCELLED

    async def cancelled(self, agent: AgentNumber) -> None:
        hand_off = await agent.connect("slow", _CUSTOMER, self.request())
        await eventually(lambda: self.services.calls > 0)
        await hand_off.cancel()
        assert (await hand_off.result(PATIENCE)).condition is Condition.CANCELLED

    # ------------------------------------------------------------ frames that are none

    def framed(self, message: Message, invoke_id: int = 7) -> bytes:
        return self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def bad_frames(self) -> list[bytes]:
        """Frames with a marker that are wrong in one way each."""
        request = ConnectRequest("1", "1009", "vault", _CUSTOMER, fields=self.request())
        body, secret = self.codec.encode_body(request), str(self.request()["pin"]).encode()
        good = self.framed(request)
        binary = BinaryCodec().encode_body(request)
        return [
            good[:-1], good[:40] + b"\xff" + good[40:], good + b"\0", secret + b"\n", b'{"kind":"' + secret + b'"}\n',
            json.dumps({"kind": "ConnectRequest", "id": 5, "serial": secret.decode()}).encode() + b"\n",
            json.dumps({"kind": "ConnectRequest", "id": 5, "pin": secret.decode()}).encode() + b"\n",
            json.dumps({"kind": "Ping", "id": 5, "ext": [[0x8000, secret.decode()]]}).encode() + b"\n",
            BinaryCodec().frame(0x14, 3, binary + b"\0"), BinaryCodec().frame(0x14, 3, binary[:-3]),
            BinaryCodec().frame(0x14, 3, binary.replace(secret[:1], b"\xff")), BinaryCodec().frame(0x77, 3, binary),
            b"\0\0\xff\xff\x02\x14\0\0\0\0\0\1" + secret, b"\0\0\0\x40\x09\x14\0\0\0\0\0\1" + secret * 3,
            self.codec.frame(0x05, 3, self.codec.encode_body(Ping()), ((0x8000, secret),)),
            BinaryCodec().frame(0x05, 3, b"", ((0x8000, secret),))[:-1],
            good.replace(b"vault", secret[3:8]), body, self.framed(DataResult(0, "1", "1009", fields=self.request())),
        ]  # fmt: skip

    def throw(self, port: int, role: Role, identity: str, secret: str, frames: bytes) -> bytes:
        """Bind, send this, and give back all that was answered."""
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as link, contextlib.suppress(OSError):
            link.sendall(self.framed(Bind(role, identity, secret)))
            answered = link.recv(65536)
            link.sendall(frames)
            link.settimeout(0.1)
            return answered + _received(link)
        return b""


def _received(link: socket.socket) -> bytes:
    answered = b""
    with contextlib.suppress(TimeoutError):
        while data := link.recv(65536):
            answered += data
    return answered
