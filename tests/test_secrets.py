"""Nothing secret gets anywhere: markers in every secret place, and a search of all that an exchange writes and says."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import pytest
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ctiex.app.logs import json_line
from ctiex.clients import AgentNumber
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.messages import AgentEvent, Condition, ConnectRequest, Role

from .marker_exchange import WatchedExchange
from .marker_play import _CUSTOMER, Play, reactor
from .marker_search import Marker, Markers, found_in
from .waiting import eventually


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

    @pytest.mark.gate
    async def test_no_secret_is_anywhere_but_where_it_was_sent(self) -> None:
        play = self.play
        play.agents.startService()
        play.services.startService()
        await play.services.bound()
        agent = await play.agents.login("1001")
        await self.served(agent)
        await self.wiped()
        await play.refused(agent)
        await play.updated(agent)
        await self.wiped()
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
        assert {"pin", "key", "score", "long pin", "corrected pin", "desk secret"} <= {marker.place for marker in made}
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
        digest_key = self.exchange.digest_key()
        assert found_in(texts, [*made, Marker("digest key", digest_key, digest_key)]) == []
        assert "ready" in self.exchange.output.read_text()


@pytest.mark.long
class JsonMarkerTests(MarkerTests):
    """The same on JSON links, with the log in JSON."""

    codec = JsonCodec()
    logger = "ctiex.app.logs.json"
