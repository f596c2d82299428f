"""The cases about what stands around a message: its header, its length, what the BindReply says of both."""

from __future__ import annotations

from ctiex.errors import Status
from ctiex.messages import CALL_CONTROL_KINDS
from ctiex.testing.conformance.play import OpenRequest, Play
from ctiex.testing.conformance.raw_frames import of_another_version, of_kind, of_length, too_short
from ctiex.testing.conformance.verdicts import Rare

_SHORT_LIMIT, _LONG_LIMIT = 2_048, 200_000
_NOBODYS = 90_101
"""An invoke id that no client has come to."""


async def _ends(play: Play, asked: OpenRequest, frame: bytes, status: Status) -> None:
    """The client can't go on behind this header: it says so, ends the link, and asks again on the next one."""
    asked.link.write(frame)
    await play.complains(asked.link, status, 0, 0)
    await play.comes(lambda: asked.link.lost, f"end of the link behind its Error {int(status)}")
    await play.recovers(asked)


async def _other_version(play: Play) -> None:
    await _ends(play, await play.begin(), of_another_version(_NOBODYS), Status.UNSUPPORTED_VERSION)


async def _too_short(play: Play) -> None:
    await _ends(play, await play.begin(), too_short(_NOBODYS), Status.MALFORMED)


async def _too_long(play: Play) -> None:
    """Not longer than frames are by default, but than this exchange said."""
    asked = await play.begin(max_frame=_SHORT_LIMIT)
    asked.link.write(of_length(play.codec, _SHORT_LIMIT, _NOBODYS))
    await play.says(asked.link, lambda: _NOBODYS in asked.link.pongs, f"Pong to a frame of {_SHORT_LIMIT} bytes")
    await _ends(play, asked, of_length(play.codec, _SHORT_LIMIT + 1, _NOBODYS), Status.TOO_LONG)


async def _long(play: Play) -> None:
    asked = await play.begin(max_frame=_LONG_LIMIT)
    asked.link.write(of_length(play.codec, _LONG_LIMIT, _NOBODYS))
    await play.says(asked.link, lambda: _NOBODYS in asked.link.pongs, f"Pong to a frame of {_LONG_LIMIT} bytes")
    play.answer(asked)
    await play.finish(asked.link)


async def _kinds_of_calls(play: Play) -> None:
    asked = await play.begin()
    kinds = sorted(CALL_CONTROL_KINDS)
    for kind in (kinds[0], kinds[len(kinds) // 2], kinds[-1]):
        asked.link.write(of_kind(kind, _NOBODYS))
        await play.complains(asked.link, Status.NOT_ALLOWED_HERE, kind, _NOBODYS)
    await play.still_waits(asked)
    play.answer(asked)
    await play.finish(asked.link)


async def _says_nothing(play: Play) -> None:
    asked = await play.begin()
    play.agreed = {"heartbeat_s": 0, "max_frame": 0, "max_in_flight": 0}
    play.cut(asked.link)
    await play.recovers(asked)


CASES: tuple[Rare[Play], ...] = (
    Rare("other-version", "end the link by Error 3 at a header of another version, and come back", _other_version,
         ("binary",)),
    Rare("too-short", "end the link by Error 1 at a length below 8, and come back", _too_short, ("binary",)),
    Rare("too-long", "take a frame of max_frame bytes; end the link by Error 4 at a longer one, and come back",
         _too_long),
    Rare("long-frame", "take a frame longer than by default where the BindReply allows it", _long),
    Rare("kinds-of-calls", "answer the kinds 30 to 3F by Error 5, without the feature calls, and leave the link open",
         _kinds_of_calls, ("binary",)),
    Rare("zeros", "take the defaults where the BindReply says 0 for heartbeat_s, max_frame and max_in_flight",
         _says_nothing),
)  # fmt: skip
"""What may stand around a message."""
