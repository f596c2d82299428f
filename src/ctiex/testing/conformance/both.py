"""The cases that every client has to survive, whatever its role."""

from __future__ import annotations

from ctiex.codecs import encode
from ctiex.errors import Status
from ctiex.messages import KIND_OF, BindReply, Error, Ping
from ctiex.testing.conformance.play import OpenRequest, Play, kind_of
from ctiex.testing.conformance.played_link import Manners
from ctiex.testing.conformance.raw_frames import UNKNOWN_KIND, malformed, of_unknown_kind, with_unknown_flag
from ctiex.testing.conformance.verdicts import Failed, Rare

_EXTENSIONS = ((0x9000, b"first"), (0x9000, b"second"), (0xFFFF, b""))
_NOBODYS = 90_001
"""An invoke id that no client has come to."""


async def _on(play: Play, asked: OpenRequest) -> None:
    """Whatever was played, it goes on as usual."""
    await play.still_waits(asked)
    play.answer(asked)
    await play.finish(asked.link)


async def _usual(play: Play) -> None:
    asked = await play.begin()
    play.answer(asked)
    await play.finish(asked.link)


async def _extensions(play: Play) -> None:
    play.manners = Manners(extensions=_EXTENSIONS)
    await _usual(play)


async def _byte_by_byte(play: Play) -> None:
    play.manners = Manners(byte_by_byte=True)
    await _usual(play)


async def _unknown_feature(play: Play) -> None:
    asked = await play.begin(features="telepathy updates")
    play.answer(asked)
    await play.finish(asked.link)


async def _ping(play: Play) -> None:
    asked = await play.begin()
    await play.is_there(asked.link)
    asked.link.write(encode(play.codec, Ping(), asked.invoke_id) * 2)  # the two directions number on their own
    await play.says(asked.link, lambda: asked.invoke_id in asked.link.pongs, f"Pong under {asked.invoke_id}")
    await _on(play, asked)


async def _error_elsewhere(play: Play) -> None:
    asked = await play.begin()
    about = kind_of(play.other_reply) - 1
    asked.link.send(Error(Status.UNKNOWN_SERIAL, about, "about something else"), asked.invoke_id)
    asked.link.send(Error(Status.MALFORMED, 0, "about no frame"), asked.invoke_id)
    await _on(play, asked)


async def _malformed_error(play: Play) -> None:
    asked = await play.begin()
    asked.link.write(malformed(play.codec, Error(Status.INTERNAL, kind_of(asked.request)), asked.invoke_id))
    await _on(play, asked)


async def _error(play: Play) -> None:
    asked = await play.begin()
    asked.link.send(Error(Status.NOT_ALLOWED_HERE, kind_of(asked.request), "never"), asked.invoke_id)
    await play.comes(lambda: play.gave_up(asked), "sign that it has given up")


async def _other_reply(play: Play) -> None:
    asked = await play.begin()
    asked.link.send(play.other_reply, asked.invoke_id)
    asked.link.send(play.other_reply, _NOBODYS)
    await _on(play, asked)


async def _malformed_reply(play: Play) -> None:
    asked = await play.begin()
    reply = play.yes(asked)
    asked.link.write(malformed(play.codec, reply, asked.invoke_id))
    await play.complains(asked.link, Status.MALFORMED, kind_of(reply), asked.invoke_id)
    await play.comes(lambda: play.gave_up(asked), "sign that it has given up")
    if asked.link.lost and not asked.link.unbound:
        raise Failed("closed the link")


async def _malformed_frame(play: Play) -> None:
    asked = await play.begin()
    message, invoke_id = play.sample(asked)
    asked.link.write(malformed(play.codec, message, invoke_id))
    await play.complains(asked.link, Status.MALFORMED, kind_of(message), invoke_id)
    await _on(play, asked)


async def _unknown_kind(play: Play) -> None:
    asked = await play.begin()
    about = 0 if play.codec.name == "json" else UNKNOWN_KIND
    asked.link.write(of_unknown_kind(play.codec, _NOBODYS))
    await play.complains(asked.link, Status.UNKNOWN_KIND, about, _NOBODYS)
    await _on(play, asked)


async def _unknown_flag(play: Play) -> None:
    asked = await play.begin()
    asked.link.write(with_unknown_flag(play.codec, Ping(), _NOBODYS))
    await play.complains(asked.link, Status.MALFORMED, kind_of(Ping), _NOBODYS)
    await _on(play, asked)


async def _other_role(play: Play) -> None:
    asked = await play.begin()
    invoke_id = asked.link.send(play.not_for_it, _NOBODYS)
    await play.complains(asked.link, Status.NOT_ALLOWED_HERE, KIND_OF[type(play.not_for_it)], invoke_id)
    await _on(play, asked)


async def _unbind(play: Play) -> None:
    await _sent_away(play, None)


async def _unbind_under_0(play: Play) -> None:
    await _sent_away(play, 0)


async def _sent_away(play: Play, invoke_id: int | None) -> None:
    asked = await play.begin()
    await play.unbind(asked.link, invoke_id)
    await play.recovers(asked)


async def _cut(play: Play) -> None:
    asked = await play.begin()
    play.cut(asked.link)
    await play.recovers(asked)


async def _bind_later(play: Play) -> None:
    link = await play.link()
    link.send(BindReply(Status.TOO_BUSY, detail="again later"), link.said.pop(0).invoke_id)
    link.close()
    play.begun()
    await _usual(play)


async def _silence(play: Play) -> None:
    asked = await play.begin(heartbeat_s=1)
    asked.link.manners.silent = True
    await play.comes(lambda: asked.link.pings or asked.link.lost, "Ping, though the exchange is silent")
    if not asked.link.pings:
        raise Failed("closed the link without asking by Ping")
    await play.comes(lambda: asked.link.lost, "end of the link, though the exchange is dead")
    await play.recovers(asked)


CASES: tuple[Rare[Play], ...] = (
    Rare("usual", "go through a call where nothing is rare", _usual),
    Rare("extensions", "skip extensions of unknown types on every kind of message", _extensions),
    Rare("byte-by-byte", "put frames together that come one byte at a time", _byte_by_byte),
    Rare("unknown-feature", "ignore a feature in the BindReply that it doesn't know", _unknown_feature),
    Rare("ping", "answer Ping while it waits for an answer, under an id that it uses itself too", _ping),
    Rare("error-elsewhere", "go on waiting at an Error about something else under its request's id", _error_elsewhere),
    Rare("malformed-error", "ignore an Error that can't be read, and answer nothing", _malformed_error),
    Rare("error", "take an Error about its request's kind as the end of the request", _error),
    Rare("other-reply", "ignore replies that it didn't ask for, also under its request's id", _other_reply),
    Rare("malformed-reply", "answer Error 1, and take the request as refused", _malformed_reply),
    Rare("malformed-frame", "answer Error 1, and leave the link open", _malformed_frame),
    Rare("unknown-kind", "answer Error 2, and leave the link open", _unknown_kind),
    Rare("unknown-flag", "answer Error 1, and leave the link open", _unknown_flag, ("binary",)),
    Rare("other-role", "answer a message for the other role by Error 5", _other_role),
    Rare("unbind", "answer Unbind 15 by UnbindReply, come back, and ask again", _unbind),
    Rare("unbind-under-0", "answer an Unbind under invoke id 0 under 0", _unbind_under_0),
    Rare("cut", "come back when the link is lost, and ask again what wasn't answered", _cut),
    Rare("bind-later", "come back behind a BindReply 14", _bind_later),
    Rare("silence", "ask by Ping when nothing comes, leave the link when nothing answers, and come back", _silence),
)  # fmt: skip
"""By name, those of both roles."""
