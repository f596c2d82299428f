"""A world in which customers are handed over: the exchange, its services, and the cable to platform 1's manager."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults

import ctiex.telephony

from .addresses import Addresses
from .cable import PORT, Cable
from .exchange import AGI_PORT, ExchangeProcess, VoiceProcess
from .world import World

DIALPLAN = Path(ctiex.telephony.__file__).parent / "dialplan"
PASSWORD = "password-authentication"
ACCESS_CODES = {PASSWORD: "7000", "number-broadcast": "7001", "bill-broadcast": "7002"}
_PATHS = {PASSWORD: "password", "number-broadcast": "number", "bill-broadcast": "bill"}


def service_table(name: str, times: str) -> str:
    """``[services.NAME]``, with the account secret."""
    return f"""[services.{name}]
access_code = "{ACCESS_CODES[name]}"
signalling = "asterisk"
keep_closed = 0.5
{times}
[services.{name}.request]
keep = ["*"]
secret = ["account"]
"""


def services_of_platform_2() -> str:
    """What the owner of platform 2 adds to its dialplan."""
    lines = [f"exten => {ACCESS_CODES[name]},1,Gosub(ctiex-service,s,1({path}))" for name, path in _PATHS.items()]
    return "\n".join(["[from-core]", *lines])


class HandOverWorld(World):
    """Everything of a hand-over."""

    def __init__(
        self,
        reactor: Any,
        version: int,
        customers: int = 1,
        agents: int = 1,
        signalling: str = "ring = 10",
        times: str = "",
        carrier: str = "",
        passing: bool = False,
        number: str = "",
        video: bool = False,
        **texts: str,
    ) -> None:
        super().__init__(
            reactor,
            version,
            customers,
            agents,
            number,
            passing,
            video,
            **{
                "EDGE": "Gosub(ctiex-strip,s,1)",
                "INCLUDE_1": f'#include "{DIALPLAN / "platform-1.conf"}"',
                "GLOBALS_2": f"CTIEX_VOICE = {Addresses.of_this_run().services}:{AGI_PORT}",
                "PROOF_2": services_of_platform_2(),
                "INCLUDE_2": f'#include "{DIALPLAN / "platform-2.conf"}"',
                **texts,
            },
        )
        addresses = self.addresses
        self.cable = Cable(reactor, addresses.services, addresses.platform_1)
        values = {
            "CARRIER": carrier,
            "SIGNALLING": self._signalling(signalling),
            "SERVICE_TABLES": "\n".join(service_table(name, times) for name in ACCESS_CODES),
        }
        self.exchange = ExchangeProcess(reactor, addresses, self.folder / "exchange", values)
        self.voice = VoiceProcess(reactor, addresses, self.folder / "voice")

    def _signalling(self, more: str) -> str:
        return f"""[signalling.asterisk]
endpoint = "tcp:{self.addresses.services}:{PORT}"
username = "ctiex"
secret = "controls"
dial = "PJSIP/{{access_code}}@core"
customers = "PJSIP/customers-"
fallback = "fallback,s,1"
{more}
"""

    @property
    def _parts(self) -> list[Any]:
        return [*super()._parts, self.cable, self.exchange, self.voice]

    async def start(self) -> None:
        """Start the platforms first, then what needs them."""
        self.tap.start()
        await self._start([*super()._parts, self.cable])
        await self._start([self.exchange])
        await self._start([self.voice])

    async def _start(self, parts: Sequence[Any]) -> None:
        await gatherResults([ensureDeferred(part.start()) for part in parts], consumeErrors=True)

    async def no_leftovers(self) -> None:
        """Wait until no channel, bridge or call is left."""
        await self.empty()
        await self.exchange.quiet()
