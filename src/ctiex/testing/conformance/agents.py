"""The cases for agents' applications: events, epochs, take-overs."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

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
from ctiex.testing.conformance.waits import Late

_BELOW, _FINAL = Condition(0x4D), Condition(0x90)
_UNKNOWN_STATUS = 199
_MANY_LOGINS = 5
"""So many in a row are waited for, and no more."""


async def _kept(play: AgentPlay) -> OpenRequest:
    """A call that is kept, with an event that may be acknowledged."""
    asked = await play.begin()
    play.answer(asked)
    play.tell(asked.link, Condition.CONNECTING)
    await play.may_acknowledge(asked.link)
    return asked


async def _gap(play: AgentPlay) -> None:
    asked = await _kept(play)
    play.cut(asked.link)
    play.mailbox.last += 3  # they have expired
    play.mailbox.events.clear()
    play.note(Condition.DATA_FETCHED)
    link = await play.bound()
    login = await play.log_in(link)
    play.check_position(login, asked.link.acknowledged, known=True)
    await play.ends(link)


async def _new_epoch(play: AgentPlay) -> None:
    asked = await _kept(play)
    old = play.mailbox
    play.cut(asked.link)
    link = await play.bound()
    login = await play.takes_login(link)
    play.check_position(login.request, asked.link.acknowledged, known=True)
    play.mailbox = Mailbox(old.epoch + 1, 0, calls=old.calls, listed=old.listed)
    play.note(Condition.CONNECTED)
    play.answer_login(login)
    play.replay(login)
    await play.may_acknowledge(link)
    play.cut(link)
    acknowledged, link = link.acknowledged, await play.bound()
    play.check_position(await play.log_in(link), acknowledged, known=True)
    await play.ends(link)


async def _taken_over(play: AgentPlay) -> None:
    """Another link takes the number; where a login comes behind that, it takes it once more.

    A login that comes behind the first Error 13 may have crossed with it. The second one goes out when the link has
    been quiet since: whoever logs in behind that does so by itself.
    """
    link = (await _kept(play)).link
    if await _logs_in_when_taken(play, link) and await _logs_in_when_taken(play, link):
        raise Failed("logged the number in again")


async def _logs_in_when_taken(play: AgentPlay, link: PlayedLink) -> bool:
    """Whether logins come behind this Error 13. They are answered; at the end of the wait none has come for a while."""
    before = link.logins_again
    link.send(Error(Status.SESSION_TAKEN_OVER, kind_of(AgentLogin), AGENT), 0)
    for _ in range(_MANY_LOGINS):
        seen = link.logins_again
        with suppress(Late):
            await play.until(partial(_has_logged_in, link, seen), play.patience.settles)
        play.check()
        if link.lost and not link.unbound:
            raise Failed("closed the link without Unbind")
        if link.lost or link.logins_again == seen:
            break
    return link.logins_again > before


def _has_logged_in(link: PlayedLink, before: int) -> bool:
    return link.lost or link.logins_again > before


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
    await play.may_acknowledge(link)
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
    waiting = OpenRequest(link, 0, asked.request, 0.0)
    await play.nothing(lambda: _takes_early(play, login) or play.gave_up(waiting))
    play.answer_login(login)
    await play.may_acknowledge(link)
    await play.ends(link)


def _takes_early(play: AgentPlay, login: OpenRequest) -> str | None:
    """What is acknowledged doesn't come again, and the client can't know yet of which epoch it is."""
    link = login.link
    if link.acknowledged > play.resumes_after(login):
        return f"acknowledged event {link.acknowledged} before the AgentLoginReply"
    return "took an event before the AgentLoginReply" if link.holds(UpdateRequest) else None


async def _early_at_first(play: AgentPlay) -> None:
    """The same at the first login, with what an earlier run has left."""
    link = await play.bound()
    login = await play.takes_login(link)
    event = play.foreign()
    play.mailbox.events[event.sequence] = event
    play.replay(login)
    await play.nothing(lambda: _takes_early(play, login) or ("left the link" if link.lost or link.unbound else None))
    play.answer_login(login)
    asked = await play.takes(link, ConnectRequest)
    play.begun()
    play.answer(asked)
    await play.acknowledges(link)  # it is a final event
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
