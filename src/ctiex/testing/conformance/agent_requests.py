"""The cases for agents' applications: what a ConnectRequest may meet."""

from __future__ import annotations

from functools import partial

from ctiex.errors import Status
from ctiex.messages import Condition, ConnectReply, ConnectRequest
from ctiex.testing.conformance.agent_play import AgentPlay
from ctiex.testing.conformance.play import OpenRequest
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_RETRY_AFTER = 2
_TRIES = 3
_NEVER = (
    Status.UNKNOWN_SERVICE,
    Status.SERIAL_DOES_NOT_FIT,
    Status.DATA_TOO_LARGE,
    Status.MORE_THAN_ALLOWED,
)
LEAST_PAUSES = 0.1
"""How long a few pauses that grow from a random time up to a second are together, at the very least."""


def _own_serial(play: AgentPlay, asked: OpenRequest) -> None:
    if not asked.request.serial:
        play.keep(asked)  # so that the client hears of its end
        raise NotSeen("no serial of its own stood in the ConnectRequest")


async def _kept(play: AgentPlay) -> None:
    asked = await play.begin()
    _own_serial(play, asked)
    play.cut(asked.link)
    play.keep(asked)
    play.note(Condition.CONNECTING)
    again = await play.repeated(asked)
    again.link.send(ConnectReply(Status.OK, play.call.serial), again.invoke_id)
    await play.finish(again.link)


async def _finished(play: AgentPlay) -> None:
    asked = await play.begin()
    _own_serial(play, asked)
    play.cut(asked.link)
    play.keep(asked)
    play.note(Condition.CONNECTING)
    play.note(Condition.COMPLETED)
    link = await play.come_back(asked)
    await play.comes(lambda: link.holds(ConnectRequest) or link.unbound or link.lost, "ConnectRequest or Unbind")
    if not link.unbound:  # the final event may have been enough for it
        again = await play.asked_again(asked, link)
        link.send(ConnectReply(Status.ALREADY_FINISHED, again.request.serial), again.invoke_id)
        await play.acknowledges(link)
        await play.leaves(link)


async def _finished_before(play: AgentPlay) -> None:
    """Replies and events have no order between them."""
    asked = await play.begin()
    _own_serial(play, asked)
    play.cut(asked.link)
    again = await play.repeated(asked)
    serial = play.keep(again)
    again.link.send(ConnectReply(Status.ALREADY_FINISHED, serial), again.invoke_id)
    await play.still_waits(again)
    play.tell(again.link, Condition.CONNECTING)
    await play.ends(again.link)


async def _empty(play: AgentPlay) -> None:
    """Only an own serial makes a request repeatable."""
    asked = await play.begin()
    if asked.request.serial:
        play.answer(asked)
        await play.finish(asked.link)
        raise NotSeen("a serial of its own stood in the ConnectRequest")
    play.cut(asked.link)
    link = await play.come_back(asked)
    play.keep(asked)
    await play.nothing(lambda: play.gave_up(OpenRequest(link, 0, asked.request, 0.0)))
    await play.finish(link)


async def _unanswered(play: AgentPlay) -> None:
    asked = await play.begin()
    _own_serial(play, asked)
    await play.comes(lambda: asked.link.holds(ConnectRequest) or asked.link.lost, "ConnectRequest again")
    again = await (play.repeated(asked) if asked.link.lost else play.asked_again(asked, asked.link))
    play.answer(again)
    await play.finish(again.link)


async def _retry_after(play: AgentPlay) -> None:
    asked = await play.begin()
    answered = play.clock.seconds()
    reply = ConnectReply(Status.TOO_BUSY, asked.request.serial, _RETRY_AFTER, "again later")
    asked.link.send(reply, asked.invoke_id)
    again = await play.asked_later(asked)
    if again is None:
        return
    waited = again.at - answered
    if waited < _RETRY_AFTER:
        raise Failed(f"asked again after {waited:.2f} s")
    play.answer(again)
    await play.finish(again.link)


async def _repeats_later(play: AgentPlay, status: Status) -> None:
    """The same status again and again: the pauses are no rush."""
    asked = await play.begin()
    answered = play.clock.seconds()
    for _ in range(_TRIES):
        asked.link.send(ConnectReply(status, asked.request.serial), asked.invoke_id)
        again = await play.asked_later(asked)
        if again is None:
            return
        asked = again
    if asked.at - answered < LEAST_PAUSES:
        raise Failed(f"asked {_TRIES} times again within {asked.at - answered:.3f} s")
    play.answer(asked)
    await play.finish(asked.link)


async def _busy(play: AgentPlay) -> None:
    await _repeats_later(play, Status.TOO_BUSY)


async def _store_unavailable(play: AgentPlay) -> None:
    await _repeats_later(play, Status.STORE_UNAVAILABLE)


async def _mailbox_full(play: AgentPlay) -> None:
    await _repeats_later(play, Status.QUEUE_FULL)


async def _never(play: AgentPlay) -> None:
    """One run of the client after the other is refused for good."""
    for status in _NEVER:
        asked = await play.begin()
        asked.link.send(ConnectReply(status, asked.request.serial), asked.invoke_id)
        await play.comes(partial(play.gave_up, asked), f"Unbind behind status {int(status)}")
        if not asked.link.unbound:
            raise Failed(f"{play.gave_up(asked)}: status {int(status)}")


CASES: tuple[Rare[AgentPlay], ...] = (
    Rare("reply-lost", "repeat the same ConnectRequest when its answer was lost, and take 0", _kept),
    Rare("reply-lost-finished", "repeat it, and learn by the events how the call ended that is 24 now", _finished),
    Rare("reply-before-events", "wait for the events of a call that is 24 at the repeat", _finished_before),
    Rare("empty-serial", "not repeat a ConnectRequest without a serial of its own", _empty),
    Rare("unanswered", "repeat the same ConnectRequest when no answer comes", _unanswered),
    Rare("retry-after", "wait as long as retry_after says before it asks again, or give up", _retry_after),
    Rare("busy", "ask again later at 14, with pauses, or give up", _busy),
    Rare("store-unavailable", "ask again later at 50, with pauses, or give up", _store_unavailable),
    Rare("mailbox-full", "ask again later at 41, with pauses, or give up", _mailbox_full),
    Rare("never", "not ask again at 30, 34, 35 and 36", _never),
)  # fmt: skip
"""What may become of a ConnectRequest."""
