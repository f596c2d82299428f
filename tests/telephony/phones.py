"""A telephone of a customer or an agent: a baresip, told what to do over its control link."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import NetstringReceiver
from twisted.python.failure import Failure

from .addresses import Addresses
from .folders import write_folder
from .happenings import PATIENCE, Happenings
from .peers import NETWORK
from .processes import RunningProcess

Happening = dict[str, Any]
_VIDEO = """module vp8.so
module fakevideo.so
video_source fakevideo,nil
video_display fakevideo,nil
video_size 176x144
video_bitrate 100000
video_fps 5
"""
"""The lines of the configuration of a telephone with a camera."""


class _Control(NetstringReceiver):
    MAX_LENGTH = 1 << 16

    def __init__(self, happened: Happenings[Happening]) -> None:
        self._happened = happened

    def stringReceived(self, string: bytes) -> None:  # noqa: N802
        self._happened.tell(json.loads(string))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._happened.tell({"type": "(gone)"})


class Phone:
    """One telephone, with one number at one host, that says one tone."""

    def __init__(
        self,
        reactor: Any,
        number: str,
        host: str,
        addresses: Addresses,
        folder: Path,
        tone: int,
        answers: bool,
        video: bool = False,
    ) -> None:
        self.number = number
        self.host = host
        self.tone = tone
        self.happened: Happenings[Happening] = Happenings(reactor, f"telephone {number}")
        self._reactor = reactor
        self._folder = folder
        values = {
            "NUMBER": number,
            "HOST": host,
            "PLATFORM_1": addresses.platform_1,
            "TONE": tone,
            "ROOT": NETWORK.folder,
            "RTP_FIRST": addresses.media_ports(host)[0],
            "RTP_LAST": addresses.media_ports(host)[-2],
            "ANSWERS": "auto" if answers else "manual",
            "VIDEO": _VIDEO if video else "",
            "VIDEO_CODECS": ";video_codecs=vp8" if video else "",
        }
        write_folder("phone", folder, values)
        self.process: RunningProcess | None = None
        self._control: _Control | None = None
        self._tokens = itertools.count(1)

    async def start(self) -> None:
        """Switch it on."""
        command = NETWORK.command("usr/bin/baresip", "-f", str(self._folder))
        self.process = RunningProcess(self._reactor, self.number, command, self._folder)
        await self.process.says("baresip is ready|^.ended")
        assert self.process.alive, list(self.process.said)[-10:]
        endpoint = TCP4ClientEndpoint(self._reactor, self.host, 4444)
        self._control = await connectProtocol(endpoint, _Control(self.happened))

    async def stop(self) -> None:
        """Switch it off."""
        if self.process is not None:
            await self.process.stop()
        if self._control is not None:
            await self.happened.wait(lambda one: one.get("type") == "(gone)", "the end of the control link")

    async def kill(self) -> None:
        """Cut its power."""
        assert self.process is not None
        await self.process.kill()

    async def dial(self, number: str) -> None:
        """Call somebody."""
        await self._tell("dial", number)

    async def answer(self) -> None:
        """Take the call that rings."""
        await self._tell("accept")

    async def hang_up(self) -> None:
        """End the call."""
        await self._tell("hangup")

    async def transfer(self, number: str) -> None:
        """Ask for the other end of the call to be connected with somebody else (REFER)."""
        await self._tell("transfer", number)

    async def type(self, digits: str) -> None:
        """Press keys, each let go before the next."""
        for digit in digits:
            await self._tell("sndcode", digit)
            await self._tell("sndcode", "\x04")

    async def event(self, kind: str, since: int = 0, patience: float = PATIENCE) -> Happening:
        """The first event of a kind, such as CALL_ESTABLISHED."""
        return await self.happened.wait(lambda one: one.get("type") == kind, kind, since, patience)

    @property
    def in_call(self) -> bool:
        """Whether it has a call."""
        kinds = [one.get("type") for one in self.happened]
        return kinds.count("CALL_ESTABLISHED") > kinds.count("CALL_CLOSED")

    async def _tell(self, command: str, parameters: str = "") -> Happening:
        assert self._control is not None, "switch it on first"
        token = f"token-{next(self._tokens)}"
        asked = {"command": command, "params": parameters, "token": token}
        self._control.sendString(json.dumps(asked).encode())
        answer = await self.happened.wait(lambda one: one.get("token") == token, f"the answer to {command}")
        assert answer.get("ok"), (command, parameters, answer)
        return answer
