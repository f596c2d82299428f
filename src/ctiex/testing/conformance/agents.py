"""The cases for agents' applications: events, epochs, take-overs."""

from __future__ import annotations

from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentLogin,
    AgentLoginReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    Error,
    UpdateRequest,
)
from ctiex.testing.conformance.agent_play import AgentPlay
from ctiex.testing.conformance.mailbox import AGENT, Mailbox
from ctiex.testing.conformance.play import OpenRequest, kind_of
from ctiex.testing.conformance.played_link import PlayedLink
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_BELOW, _FINAL = Condition(0x4D), Condition(0x90)
_UNKNOWN_STATUS = 199


async def _kept(play: AgentPlay) -> OpenRequest:
    """A call that is kept, with an event that is acknowledged."""
    asked = await play.begin()
    play.answer(asked)
    play.tell(asked.link, Condition.CONNECTING)
    await play.acknowledges(asked.link)
    return asked


async def _gap(play: AgentPlay) -> None:
    asked = await _kept(play)
    play.cut(asked.link)
    play.mailbox.last += 3  # they have expired
    play.note(Condition.DATA_FETCHED)
    link = await play.bound()
    login = await play.log_in(link)
    play.check_position(login, asked.link.acknowledged)
    await play.ends(link)


async def _new_epoch(play: AgentPlay) -> None:
    asked = await _kept(play)
    old = play.mailbox
    play.cut(asked.link)
    link = await play.bound()
    login = await play.takes_login(link)
    play.check_position(login.request, asked.link.acknowledged)
    play.mailbox = Mailbox(old.epoch + 1, 0, calls=old.calls)
    play.note(Condition.CONNECTED)
    play.answer_login(login)
    play.replay(login)
    await play.acknowledges(link)
    play.cut(link)
    link = await play.bound()
    play.check_position(await play.log_in(link), 1)
    await play.ends(link)


async def _taken_over(play: AgentPlay) -> None:
    asked = await _kept(play)
    link = asked.link
    link.send(Error(Status.SESSION_TAKEN_OVER, kind_of(AgentLogin), AGENT), 0)

    def fights() -> str | None:
        if link.holds(AgentLogin):
            return "logged the number in again"
        return "closed the link without Unbind" if link.lost and not link.unbound else None

    await play.nothing(fights)


async def _unknown_status(play: AgentPlay) -> None:
    asked = await play.begin()
    asked.link.send(ConnectReply(_UNKNOWN_STATUS, asked.request.serial), asked.invoke_id)
    again = await play.asked_later(asked)
    if again is not None:
        play.answer(again)
        await play.ends(again.link, Condition.UNREACHABLE, _UNKNOWN_STATUS)


async def _progress(play: AgentPlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    play.tell(asked.link, _BELOW)
    await play.acknowledges(asked.link)
    await play.still_waits(asked)
    await play.finish(asked.link)


async def _final(play: AgentPlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    play.tell(asked.link, Condition.CONNECTING)
    await play.ends(asked.link, _FINAL)


async def _update(play: AgentPlay, link: PlayedLink, say: int) -> None:
    """The client's application has taken the progress that says this, and tells by an UpdateRequest."""
    if say == 1 and not await play.might(lambda: link.holds(UpdateRequest) or link.lost or link.unbound):
        raise NotSeen("no UpdateRequest came with the field of the progress")
    asked = await play.takes(link, UpdateRequest)
    if asked.request.serial != play.call.serial or asked.request.fields != Fields({"say": say}):
        raise Failed(f"sent another UpdateRequest than the one of progress {say}: {dict(asked.request.fields)}")


async def _doubled(play: AgentPlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    link = asked.link
    for say in (1, 2):
        event = play.tell(link, Condition.PROGRESS, Fields({"say": say}))
        link.send(event, 0)
        await _update(play, link, say)
    link.send(event, 0)
    await play.acknowledges(link)
    await play.nothing(lambda: _says_again(link))
    final = play.tell(link, Condition.COMPLETED)
    link.send(final, 0)
    await play.acknowledges(link)
    await play.leaves(link)


def _says_again(link: PlayedLink) -> str | None:
    return "took an event twice that came twice" if link.holds(UpdateRequest) else None


async def _replayed(play: AgentPlay) -> None:
    asked = await _kept(play)
    for condition in (Condition.CONNECTED, Condition.DATA_FETCHED):
        play.tell(asked.link, condition)
    play.cut(asked.link)
    link = await play.come_back(asked)
    await play.ends(link)


async def _early(play: AgentPlay) -> None:
    """Events come before the AgentLoginReply."""
    asked = await _kept(play)
    play.cut(asked.link)
    play.note(Condition.PROGRESS, Fields({"say": 1}))
    link = await play.bound()
    login = await play.takes_login(link)
    play.check_position(login.request, asked.link.acknowledged)
    play.replay(login)
    await play.still_waits(OpenRequest(link, 0, asked.request, 0.0))
    play.answer_login(login)
    await play.acknowledges(link)
    await play.ends(link)


async def _early_at_first(play: AgentPlay) -> None:
    """The same at the first login, with what an earlier run has left."""
    link = await play.bound()
    login = await play.takes_login(link)
    event = play.foreign()
    play.mailbox.events[event.sequence] = event
    play.replay(login)
    await play.nothing(lambda: "left the link" if link.lost or link.unbound else None)
    play.answer_login(login)
    asked = await play.takes(link, ConnectRequest)
    play.begun()
    play.answer(asked)
    await play.acknowledges(link)
    await play.finish(link)


async def _overtaken(play: AgentPlay) -> None:
    """The events of the call come before its ConnectReply."""
    asked = await play.begin()
    serial = play.keep(asked)
    play.tell(asked.link, Condition.CONNECTING)
    play.tell(asked.link, Condition.COMPLETED)
    await play.acknowledges(asked.link)
    asked.link.send(ConnectReply(Status.OK, serial), asked.invoke_id)
    await play.leaves(asked.link)


async def _unknown_call(play: AgentPlay) -> None:
    """An event of another call, of an earlier run."""
    asked = await play.begin()
    play.answer(asked)
    asked.link.send(play.foreign(), 0)
    await play.acknowledges(asked.link)
    await play.still_waits(asked)
    await play.finish(asked.link)


async def _refused_login(play: AgentPlay) -> None:
    """The number is refused for now, when the link comes back."""
    asked = await _kept(play)
    play.cut(asked.link)
    link = await play.bound()
    login = await play.takes_login(link)
    link.send(AgentLoginReply(Status.STORE_UNAVAILABLE), login.invoke_id)
    again = await play.next_login(link)
    play.check_position(again.request, asked.link.acknowledged)
    play.answer_login(again)
    play.replay(again)
    await play.ends(again.link)


CASES: tuple[Rare[AgentPlay], ...] = (
    Rare("gap", "log in with its position, and go on behind the events that have expired", _gap),
    Rare("new-epoch", "adopt the new epoch (21), take its events, and log in with it from then on", _new_epoch),
    Rare("taken-over", "not log the number in again behind Error 13", _taken_over),
    Rare("unknown-status", "take a status that it doesn't know as 51: ask again later, or give up", _unknown_status),
    Rare("unknown-progress", "take a condition below 128 that it doesn't know as progress", _progress),
    Rare("unknown-final", "take a condition from 128 on that it doesn't know as final", _final),
    Rare("doubled-events", "take an event once that comes twice", _doubled),
    Rare("replayed-events", "log in with its position, and take what was replayed behind a cut", _replayed),
    Rare("early-events", "hold events that come before the AgentLoginReply until it is there", _early),
    Rare("early-at-first", "hold them likewise at the first login of a run", _early_at_first),
    Rare("overtaken-reply", "take the events of its call that come before the ConnectReply", _overtaken),
    Rare("unknown-call", "acknowledge an event of a call that it doesn't know", _unknown_call),
    Rare("login-later", "log in again later behind an AgentLoginReply 50", _refused_login),
)  # fmt: skip
"""What may happen to events and logins."""
