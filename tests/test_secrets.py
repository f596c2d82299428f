"""Nothing secret gets anywhere: markers in every secret place, and a search of all that an exchange writes and says."""

from __future__ import annotations

import contextlib
import json
import pkgutil
import signal
import socket
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

import ctiex
from ctiex.app.commands.agent import describe, read_fields
from ctiex.app.logs import json_line
from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, ServedCall
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import CallError, CtiexError, FieldError
from ctiex.fields import Fields, Value
from ctiex.file_modes import wide_mode
from ctiex.interfaces import ICodec
from ctiex.messages import KIND_OF, AgentEvent, Bind, Condition, ConnectRequest, DataResult, Message, Role
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.stores.sealing import find_key

from .marker_exchange import WatchedExchange
from .marker_search import Marker, Markers, found_in
from .waiting import PATIENCE, eventually

reactor: Any = _reactor
_CUSTOMER = "13800138000"


# ---------------------------------------------------------------- the search itself


def _leaks(marker: Marker) -> Iterator[bytes]:
    """The ways in which a value may get out."""
    value = marker.value
    data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else marker.core
    yield from (data, data.hex().encode(), data.hex().upper().encode(), b64encode(data))
    yield from (repr(value).encode(), json.dumps({"a": str(value)}).encode())
    if isinstance(value, str):
        yield from (value.encode("utf-16"), value.encode("utf-16-be"))


class SearchTests(SynchronousTestCase):
    """A search that finds nothing would let every other test pass."""

    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 2**32), st.binary(max_size=4), st.binary(max_size=4))
    def test_a_marker_is_found_in_every_form_it_may_take(self, seed: int, before: bytes, behind: bytes) -> None:
        markers = Markers(Random(seed))
        markers.text("text"), markers.integer("integer"), markers.data("bytes")
        for marker in markers.made:
            for leak in _leaks(marker):
                self.assertEqual(
                    found_in({"it": before + leak + behind}, [marker]), [f"the {marker.place} stands in it"]
                )
            if isinstance(marker.value, (str, bytes)):
                data = marker.value.encode() if isinstance(marker.value, str) else marker.value
                self.assertTrue(found_in({"it": b64encode(before + data + behind)}, [marker]))

    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 2**32))
    def test_it_is_not_found_where_it_is_not(self, seed: int) -> None:
        markers, others = Markers(Random(seed)), Markers(Random(seed + 1))
        markers.text("text"), markers.integer("integer"), markers.data("bytes")
        others.text("text"), others.integer("integer"), others.data("bytes")
        texts = {str(index): leak for index, other in enumerate(others.made) for leak in _leaks(other)}
        self.assertEqual(found_in(texts, markers.made), [])


class ReprTests(SynchronousTestCase):
    """A repr may end in any log."""

    def test_no_class_shows_what_may_be_secret(self) -> None:
        shown = [
            f"{made.__module__}.{made.__qualname__}.{attribute.name}"
            for module in (import_module(found.name) for found in pkgutil.walk_packages(ctiex.__path__, "ctiex."))
            for made in vars(module).values()
            if isinstance(made, type) and attrs.has(made) and not made.__module__.startswith("ctiex.testing.")
            for attribute in attrs.fields(made)
            if attribute.name.lstrip("_") in _SECRET_ATTRIBUTES and attribute.repr
        ]
        self.assertEqual(sorted(set(shown)), [])


_SECRET_ATTRIBUTES = {"secret_hash", "digest", "data", "body", "salt", "remembered"}
"""Names of attributes that hold values, secrets or what they can be guessed from."""


class KeyFileTests(SynchronousTestCase):
    """The file with the store's key."""

    def test_one_that_everybody_can_read_is_told(self) -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "key"
            find_key(file, make=True, environment={})
            self.assertIsNone(wide_mode(file))
            file.chmod(0o644)
            self.assertEqual(wide_mode(file), "every user of this machine")


class TerminalTests(SynchronousTestCase):
    """What an agent's terminal shows."""

    def test_a_word_that_is_no_field_is_not_repeated(self) -> None:
        for word in ("246810", "pin:=24681x", "=246810", ":=246810"):
            error = self.assertRaises(FieldError, read_fields, ["a=1", word])
            self.assertNotIn("2468", str(error))
            self.assertRegex(str(error), "field (2|'pin'): expected ")

    def test_named_fields_of_an_event_are_masked(self) -> None:
        event = AgentEvent(1, 0, "1001", "7", "", Condition.COMPLETED, 0, Fields({"ticket": "T-1", "score": 5}))
        self.assertEqual(describe(event, {"ticket"}), "event 1, call 7: completed: ticket=***, score=5")


# ---------------------------------------------------------------- a real exchange


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
            json.dumps({"kind": "ConnectRequest", "invoke_id": 5, "serial": secret.decode()}).encode() + b"\n",
            json.dumps({"kind": "ConnectRequest", "invoke_id": 5, "pin": secret.decode()}).encode() + b"\n",
            BinaryCodec().frame(0x14, 3, binary + b"\0"), BinaryCodec().frame(0x14, 3, binary[:-3]),
            BinaryCodec().frame(0x14, 3, binary.replace(secret[:1], b"\xff")), BinaryCodec().frame(0x77, 3, binary),
            b"\0\0\xff\xff\x01\x14\0\0\0\0\0\1" + secret, b"\0\0\0\x40\x09\x14\0\0\0\0\0\1" + secret * 3,
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


class MarkerTests(TestCase):
    """Real hand-offs through a real process; then everything that it, and its clients, have written is searched."""

    codec: ICodec = BinaryCodec()
    logger = "ctiex.app.logs.human"

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.markers = Markers(Random(20261123))
        desk, ivr = self.markers.text("desk secret"), self.markers.text("ivr secret")
        self.exchange = WatchedExchange(Path(folder.name), self.codec.name, self.logger, desk, ivr)
        self.addCleanup(self.exchange.end, signal.SIGKILL)
        self.exchange.start()
        self.play = Play(self.exchange, self.codec, self.markers, desk, ivr)
        self.addCleanup(self._stop)
        self._watch_own_log()

    async def _stop(self) -> None:
        for part in (self.play.agents, self.play.services):
            if part.running:
                await part.stopService()

    def _watch_own_log(self) -> None:
        """What the client library logs, in this process."""

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            self.play.evidence.add("the clients' log", json_line(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    async def test_no_secret_is_anywhere_but_where_it_was_sent(self) -> None:
        play = self.play
        play.agents.startService()
        play.services.startService()
        await play.services.bound()
        agent = await play.agents.login("1001")
        await self.served(agent)
        await self.wiped()
        await play.refused(agent)
        await self.ended_otherwise(agent)
        await self.kept_for_an_agent_who_is_away()
        await deferToThread(self.thrown)
        await deferToThread(self.asked_by_commands)
        self.nothing_is_found()

    # ------------------------------------------------------------ scenes

    async def served(self, agent: AgentNumber) -> None:
        """A hand-off that goes well: the secrets are with those they are for, and so the search can find them."""
        sent = self.play.request(unnamed=self.markers.text("field that no service may see"))
        final = await self.play.hand_over(agent, "vault", sent)
        assert final is not None
        (seen,) = self.play.seen
        assert dict(seen) == {"code": sent["pin"], "account": sent["account"], "key": sent["key"]}
        assert set(final.fields) == {"ticket", "score", "stamp"}
        arrived = {"the DataResult": repr(list(seen.items())), "the AgentEvent": repr(list(final.fields.items()))}
        places = [sentence.split(" stands")[0] for name, text in arrived.items()
                  for sentence in found_in({name: text.encode()}, self.markers.made)]  # fmt: skip
        assert places == ["the pin", "the account", "the key", "the token", "the score", "the stamp"], places

    async def wiped(self) -> None:
        """After the close and the acknowledgement no record, buffer or frame of the process holds a value."""
        served = [marker for marker in self.markers.made if not marker.place.endswith("secret")]
        held = [""]
        for _ in range(8):
            held = await self.alive(served)
            if not held:
                break
            await deferLater(reactor, 0.1)  # the acknowledgement is on its way to the store
        assert held == [], f"still alive in the exchange: {held}"

    async def alive(self, markers: list[Marker]) -> list[str]:
        """The places whose values stand in a text or bytes, as both codecs write them, that the process refers to."""
        wanted = [(marker.place, form) for marker in markers for form in marker.encoded]
        found = await deferToThread(self.exchange.alive, [form for _, form in wanted])
        return list(dict.fromkeys(place for (place, _), there in zip(wanted, found, strict=True) if there))

    async def ended_otherwise(self, agent: AgentNumber) -> None:
        await self.play.cancelled(agent)
        late = await self.play.hand_over(agent, "deaf", self.play.request())
        assert late is not None and late.condition is Condition.TIMED_OUT
        failed = await agent.connect("telltale-result", _CUSTOMER, self.play.request())
        await deferLater(reactor, 0.5)
        await failed.cancel()

    async def kept_for_an_agent_who_is_away(self) -> None:
        """Calls that go on and events that wait while the exchange is killed, and while its files are looked at."""
        play = self.play
        away = await play.agents.login("1002")
        before, made = len(play.seen), len(self.markers.made)
        hand_off = await away.connect("slow", _CUSTOMER, play.request())
        await eventually(lambda: len(play.seen) > before)
        assert await self.alive(self.markers.made[made:]) == ["pin", "account", "key"], "a live call isn't found alive"
        await away.logout()
        play.evidence.folder(self.exchange.folder)
        self.exchange.end(signal.SIGKILL)
        play.evidence.folder(self.exchange.folder)
        self.exchange.start()
        play.go_on = True
        back: list[AgentEvent] = []
        await eventually(lambda: not play.services.calls)
        play.evidence.folder(self.exchange.folder)  # the event waits in the mailbox now
        await play.agents.login("1002", back.append)
        await eventually(lambda: any(event.serial == hand_off.serial and event.condition.final for event in back))
        assert "token" in back[-1].fields

    def thrown(self) -> None:
        """Frames that are none, and secrets that are wrong, on both links."""
        play, exchange = self.play, self.exchange
        ends = ((exchange.agent_port, Role.AGENT, "desk", play.desk_secret),
                (exchange.service_port, Role.SERVICE, "ivr", play.ivr_secret))  # fmt: skip
        for port, role, identity, secret in ends:
            for frames in play.bad_frames():
                play.evidence.add("an answer to a bad frame", play.throw(port, role, identity, secret, frames))
        for port, role, identity, _ in ends:
            for name in (identity, "nobody"):
                wrong = self.markers.text(f"wrong secret of {name}")
                play.evidence.add("an answer to a wrong secret", play.throw(port, role, name, wrong, b""))

    def asked_by_commands(self) -> None:
        """Every command that may show something; the process still runs."""
        exchange, evidence = self.exchange, self.play.evidence
        store, config = str(exchange.folder / "calls.sqlite"), str(exchange.config)
        sent = Fields({"pin": self.markers.text("decoded pin"), "code": self.markers.text("decoded code")})
        frame = BinaryCodec().frame(
            0x14, 1, BinaryCodec().encode_body(ConnectRequest("1", "1001", "vault", _CUSTOMER, fields=sent))
        )
        for arguments in (
            ("check-config", config), ("store", "show", store), ("store", "check", store), ("store", "export", store),
            ("store", "export", store, "--show-values", "--config", config, "--secret", "ticket"),
            ("decode", frame.hex()), ("decode", "--show-values", "--config", config, frame.hex()), ("trace", "1"),
            ("trace", "--config", config, "7"),
        ):  # fmt: skip
            if self.codec.name == "json" and arguments[0] in ("check-config", "decode"):
                continue  # they don't depend on the codec of the links
            said = exchange.command(*arguments)
            assert said and "Traceback" not in said, said
            evidence.add(f"ctiex {' '.join(arguments[:2])}", said)
        evidence.add("/metrics", urlopen(f"http://127.0.0.1:{exchange.metrics_port}/metrics").read())
        exchange.end()
        evidence.folder(exchange.folder)

    def nothing_is_found(self) -> None:
        texts, made = self.play.evidence.texts, self.markers.made
        assert {"pin", "key", "score", "long pin", "desk secret"} <= {marker.place for marker in made}
        names = " ".join(texts)
        for expected in (
            "calls.sqlite ",
            "calls.sqlite-wal",
            "exchange.output",
            "clients' log",
            "bad frame",
            "audit.log",
        ):
            assert expected in names, expected
        assert found_in(texts, made) == []
        assert "ready" in self.exchange.output.read_text()


@pytest.mark.gate
class JsonMarkerTests(MarkerTests):
    """The same on JSON links, with the log in JSON."""

    codec = JsonCodec()
    logger = "ctiex.app.logs.json"
