"""Everything that a scenario needs, started together and ended together."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredList, ensureDeferred, gatherResults

from .addresses import Addresses
from .core import Core
from .folders import filled
from .happenings import PATIENCE
from .peers import ROOTS
from .phones import Phone
from .platforms import Asterisk
from .tap import Tap

CUSTOMER_TONE, AGENT_TONE = 900, 400
"""What the telephones say, in Hz; in the band of a telephone, and no part of a key's tones."""
CUSTOMER_NUMBER = "13800138000"
FIRST_AGENT = 1001
RTP_TIMEOUT = 3
"""After how many seconds without media platform 1 gives a call to a service up, as docs/asterisk.rst tells it."""
PLAIN = {
    "RTP_TIMEOUT": str(RTP_TIMEOUT),
    "VIDEO": "",
    "EDGE": "NoOp()",
    "CONTEXT": "from-core",
    "PROOF_1": "",
    "PROOF_2": "",
    "GLOBALS_2": "",
    "INCLUDE_1": "",
    "INCLUDE_2": "",
}
"""What the templates ask for, where nobody hands customers over."""


class World:
    """Two platforms, the core between them, a customer, agents."""

    def __init__(
        self,
        reactor: Any,
        version: int,
        customers: int = 1,
        agents: int = 1,
        number: str = "",
        passing: bool = False,
        video: bool = False,
        **texts: str,
    ) -> None:
        """
        :param video: the telephones have cameras.
        :param number: what the first customer says to be their number.
        :param passing: the core network passes every header field.
        :param texts: what else the templates take.
        """
        missing = [root.name for root in ROOTS if not root.ready]
        assert not missing, f"{', '.join(missing)}: not built; run `make telephony-peers`"
        self.reactor = reactor
        self.version = version
        self.addresses = Addresses.of_this_run()
        self.folder = Path(tempfile.mkdtemp(prefix="ctiex-tel-"))
        self._logs: list[tuple[str, str]] = []
        self.tap = Tap(reactor, self.addresses, (CUSTOMER_TONE, AGENT_TONE))
        self._video = video
        values = {**PLAIN, **self._values(customers, agents), **({"VIDEO": ",vp8"} if video else {}), **texts}
        self.platform_1 = self._platform("platform-1", self.addresses.platform_1, values)
        self.platform_2 = self._platform("platform-2", self.addresses.platform_2, values)
        self.core = Core(reactor, self.addresses, self.folder / "core", passing)
        self.customers = [
            self._phone(customer_number(n, number), self.addresses.customer(n), CUSTOMER_TONE, False)
            for n in range(customers)
        ]
        self.agents = [
            self._phone(str(FIRST_AGENT + n), self.addresses.agent(n), AGENT_TONE, True) for n in range(agents)
        ]

    @property
    def customer(self) -> Phone:
        """The first customer."""
        return self.customers[0]

    @property
    def agent(self) -> Phone:
        """The first agent."""
        return self.agents[0]

    def _values(self, customers: int, agents: int) -> dict[str, str]:
        numbers = range(agents)
        return {
            "CORE": self.addresses.core,
            "CUSTOMERS": "\n".join(f"match = {self.addresses.customer(n)}" for n in range(customers)),
            "AGENTS": "\n".join(
                filled("agent.conf", {"AGENT": FIRST_AGENT + n, "AGENT_HOST": self.addresses.agent(n)}) for n in numbers
            ),
            "MEMBERS": f"member = PJSIP/{FIRST_AGENT + agents - 1}",
        }

    def _platform(self, kind: str, host: str, values: dict[str, str]) -> Asterisk:
        return Asterisk(self.reactor, self.version, kind, host, self.folder / kind, values)

    def _phone(self, number: str, host: str, tone: int, answers: bool) -> Phone:
        folder = self.folder / f"phone-{host}"
        return Phone(self.reactor, number, host, self.addresses, folder, tone, answers, self._video)

    @property
    def _parts(self) -> list[Any]:
        return [self.core, self.platform_1, self.platform_2, *self.customers, *self.agents]

    async def start(self) -> None:
        """Start everything, side by side."""
        self.tap.start()
        await gatherResults([ensureDeferred(part.start()) for part in self._parts], consumeErrors=True)

    async def stop(self) -> None:
        """End everything, and leave nothing behind."""
        stopped = await DeferredList([ensureDeferred(part.stop()) for part in self._parts], consumeErrors=True)
        self.tap.stop()
        self._logs = [(platform.kind, platform.last_words()) for platform in (self.platform_1, self.platform_2)]
        shutil.rmtree(self.folder)
        for well, failure in stopped:
            if not well:
                failure.raiseException()

    def last_words(self) -> list[tuple[str, str]]:
        """What a reader of a failed scenario wants to see, with a title each."""
        name_of = self.addresses.name_of
        sip = [f"{m.at:.3f} {name_of(m.source)} > {name_of(m.target)} {m.start}" for m in self.tap.messages]
        sounds = [f"{sound.at:.3f} {name_of(sound.listener)} hears {sound.what}" for sound in self.tap.sounds]
        said = [
            (process.name, "\n".join(list(process.said)[-30:]))
            for part in self._parts
            if (process := part.process) is not None
        ]
        return [("SIP", "\n".join(sip)), ("sounds", "\n".join(sounds)), *said, *self._logs]

    # ------------------------------------------------------------ what the scenarios wait for

    async def hears(self, phone: Phone, what: str, since: int = 0, patience: float = PATIENCE) -> None:
        """Wait until somebody hears something."""
        if since == 0 and self.tap.hears(phone.host) == what:
            return
        await self.tap.sounds.wait(
            lambda sound: sound.listener == phone.host and sound.what == what,
            f"{what} at {self.addresses.name_of(phone.host)}", since, patience,
        )  # fmt: skip

    async def hears_now(self, phone: Phone, what: str) -> None:
        """Wait until somebody hears something now, whatever they have heard before."""
        if self.tap.hears(phone.host) != what:
            await self.hears(phone, what, len(self.tap.sounds))

    def longest_silence(self, phone: Phone) -> float:
        """The longest time that somebody has heard nothing, in seconds, since they heard something first."""
        return self.tap.longest_silence(phone.host)

    async def empty(self) -> None:
        """Wait until no channel and no bridge is left on the platforms that live."""
        for platform in (self.platform_1, self.platform_2):
            if platform.process is not None and platform.process.alive:
                await platform.witness.empty()


def customer_number(index: int, first: str = "") -> str:
    """The number that a customer calls from."""
    return first if first and index == 0 else str(int(CUSTOMER_NUMBER) + index)
