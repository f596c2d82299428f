"""The cases for automatic services: what their reports are answered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ctiex.errors import Status
from ctiex.messages import ServiceEvent
from ctiex.testing.conformance.agent_requests import LEAST_PAUSES
from ctiex.testing.conformance.play import OpenRequest
from ctiex.testing.conformance.service_play import ServicePlay
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_TRIES = 3
_UNKNOWN_STATUS = 199
Played = Callable[[ServicePlay], Coroutine[Any, Any, None]]


async def _result(play: ServicePlay) -> OpenRequest:
    """The final report of a call, which waits for its answer."""
    asked = await play.begin()
    play.answer(asked)
    return await play.final(asked.link)


def _same(before: OpenRequest, again: OpenRequest) -> None:
    """:raise Failed: a repeat isn't the same report."""
    if before.request.event_id != again.request.event_id:
        raise Failed("reported again under another event_id: that makes a second report")
    if before.request != again.request:
        raise Failed("reported something else under the same event_id")


def _final_at(status: int) -> Played:
    """The answer is the last word on the result."""

    async def play_it(play: ServicePlay) -> None:
        final = await _result(play)
        play.reply(final, status)
        await play.says_no_more(final.link)

    return play_it


def _later_at(status: int) -> Played:
    """The result is reported again later, under the same event_id, until it is kept."""

    async def play_it(play: ServicePlay) -> None:
        final = await _result(play)
        began = play.clock.seconds()
        for _ in range(_TRIES):
            play.reply(final, status)
            again = await play.reports(final.link)
            _same(final, again)
            final = again
        if final.at - began < LEAST_PAUSES:
            raise Failed(f"reported {_TRIES} times again within {final.at - began:.3f} s")
        play.reply(final, Status.OK)
        await play.says_no_more(final.link)

    return play_it


def _otherwise_at(status: int) -> Played:
    """The result is reported under a new event_id, with less in it where it was too much."""

    async def play_it(play: ServicePlay) -> None:
        final = await _result(play)
        play.reply(final, status)
        again = await play.reports(final.link)
        if again.request.event_id == final.request.event_id:
            raise Failed(f"reported again under the same event_id, though the answer was {status}")
        if not again.request.condition.final:
            raise Failed("reported progress, and not its result")
        play.reply(again, Status.OK)
        await play.says_no_more(again.link)

    return play_it


async def _progress_full(play: ServicePlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    first = await play.reports(asked.link)
    if first.request.condition.final:
        play.reply(first, Status.OK)
        raise NotSeen("no progress was reported")
    play.reply(first, Status.QUEUE_FULL)
    began = play.clock.seconds()
    while True:
        report = await play.reports(asked.link)
        if report.request.event_id == first.request.event_id and report.at - began < LEAST_PAUSES:
            raise Failed("repeated the progress at once")
        play.reply(report, Status.OK)
        if report.request.condition.final:
            break
    await play.says_no_more(asked.link)


async def _reply_lost(play: ServicePlay) -> None:
    final = await _result(play)
    play.settle_data(Status.UNKNOWN_SERIAL)
    play.cut(final.link)
    again = await play.reports(await play.bound())
    _same(final, again)
    play.reply(again, Status.DUPLICATE_EVENT)
    await play.says_no_more(again.link)


async def _unanswered(play: ServicePlay) -> None:
    final = await _result(play)
    play.settle_data(Status.UNKNOWN_SERIAL)
    await play.comes(lambda: final.link.holds(ServiceEvent) or final.link.lost, "ServiceEvent again")
    again = await play.reports(await play.bound() if final.link.lost else final.link)
    _same(final, again)
    play.reply(again, Status.DUPLICATE_EVENT)
    await play.says_no_more(again.link)


CASES: tuple[Rare[ServicePlay], ...] = (
    Rare("report-0", "take 0 as success", _final_at(Status.OK)),
    Rare("report-40", "take 40 as success", _final_at(Status.QUEUED_AGENT_AWAY)),
    Rare("report-43", "take 43 as success", _final_at(Status.DUPLICATE_EVENT)),
    Rare("report-24", "not report again at 24", _final_at(Status.ALREADY_FINISHED)),
    Rare("report-20", "not report again at 20", _final_at(Status.UNKNOWN_SERIAL)),
    Rare("report-25", "report its result under a new event_id at 25, which says that it wasn't taken",
         _otherwise_at(Status.EVENT_ID_USED)),
    Rare("report-35", "report less under a new event_id at 35", _otherwise_at(Status.DATA_TOO_LARGE)),
    Rare("report-36", "report less under a new event_id at 36", _otherwise_at(Status.MORE_THAN_ALLOWED)),
    Rare("report-14", "report again later at 14, under the same event_id", _later_at(Status.TOO_BUSY)),
    Rare("report-50", "report again later at 50, under the same event_id", _later_at(Status.STORE_UNAVAILABLE)),
    Rare("report-51", "report again later at 51, under the same event_id", _later_at(Status.INTERNAL)),
    Rare("report-unknown", "take a status that it doesn't know as 51: report again later", _later_at(_UNKNOWN_STATUS)),
    Rare("report-41", "drop progress that is refused by 41, or report it again later", _progress_full),
    Rare("report-lost", "report again under the same event_id when the answer was lost, and take 43", _reply_lost),
    Rare("report-unanswered", "report again under the same event_id when no answer comes", _unanswered),
)  # fmt: skip
"""What may become of a report."""
