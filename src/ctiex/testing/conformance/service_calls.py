"""The cases for automatic services: many calls, and data that can't be had yet."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ctiex.errors import Status
from ctiex.messages import Condition, ConnectionReply, DataRequest, DataResult, ServiceEvent, ServiceEventReply
from ctiex.testing.conformance.agent_requests import LEAST_PAUSES
from ctiex.testing.conformance.play import OpenRequest
from ctiex.testing.conformance.played_link import PlayedLink, Said
from ctiex.testing.conformance.service_play import ACCESS_CODE, AGENT, CUSTOMER, DATA, ServicePlay
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_CUSTOMERS, _AT_ONCE = 6, 2
_TRIES = 3
Played = Callable[[ServicePlay], Coroutine[Any, Any, None]]


# ------------------------------------------------------------ event ids


async def _event_ids(play: ServicePlay) -> None:
    """None is greater than there were reports, since the client began or the kit did: then they were counted."""
    asked = await play.begin()
    play.answer(asked)
    await play.finish(asked.link)
    asked = await play.next_call(asked.link)
    play.answer(asked)
    await play.finish(asked.link)
    ids = sorted({event_id for _, event_id in play.reports_seen})
    if ids[-1] <= len(play.reports_seen):
        raise Failed(f"numbered its reports from {ids[0]}: {', '.join(map(str, ids))}")


# ------------------------------------------------------------ requests in flight


async def _in_flight(play: ServicePlay) -> None:
    """Many customers at once, none of whom gets their data at first."""
    link = await play.bound(max_in_flight=_AT_ONCE)
    served = await _customers(play, link)
    play.begun()
    await play.nothing(lambda: _too_many(link))
    while served:
        said = await play.says(link, lambda: link.take(DataRequest) or link.take(ServiceEvent), "DataRequest or report")
        if instead := _too_many(link, 1):
            raise Failed(instead)
        _answer(link, said, served)
    await play.is_there(link)


async def _customers(play: ServicePlay, link: PlayedLink) -> set[str]:
    """Those whom the client takes.

    :raise NotSeen: it takes no more at once than it may have requests in flight.
    """
    play.crowd = {play.new_serial() for _ in range(_CUSTOMERS)}
    offered = {serial: play.offer(link, ACCESS_CODE, f"{CUSTOMER}**{serial}") for serial in play.crowd}
    replies = [(serial, await play.replies(link, offer, ConnectionReply)) for serial, offer in offered.items()]
    taken = {serial for serial, reply in replies if reply.status == Status.OK}
    if len(taken) <= _AT_ONCE:
        raise NotSeen(f"no more than {len(taken)} of {_CUSTOMERS} customers were taken at once")
    return taken


def _too_many(link: PlayedLink, answered: int = 0) -> str | None:
    """What is asked beyond the limit, in words.

    :param answered: so many have been taken to be answered, and aren't yet.
    """
    waiting = answered + sum(isinstance(said.message, DataRequest | ServiceEvent) for said in link.said)
    return f"had {waiting} requests in flight, though {_AT_ONCE} is max_in_flight" if waiting > _AT_ONCE else None


def _answer(link: PlayedLink, said: Said, served: set[str]) -> None:
    match said.message:
        case DataRequest(serial=serial):
            known = serial in served
            result = DataResult(Status.OK, serial, AGENT, "", DATA) if known else DataResult(20, serial)
            link.send(result, said.invoke_id)
        case ServiceEvent(serial=serial, event_id=event_id, condition=condition):
            link.send(ServiceEventReply(event_id, Status.OK), said.invoke_id)
            if Condition(condition).final:
                served.discard(serial)


# ------------------------------------------------------------ data that can't be had yet


def _data_later_at(status: Status) -> Played:
    """The status again and again, and then the data; whoever gives up before says how the call ends."""

    async def play_it(play: ServicePlay) -> None:
        asked = await play.begin()
        await play.settle()  # it may fetch more than once at the same time
        further = sum(isinstance(said.message, DataRequest) for said in asked.link.said)
        refused_at = play.clock.seconds()
        for _ in range(further + _TRIES * (further + 1)):
            asked.link.send(DataResult(status, play.serial), asked.invoke_id)
            again = await _asked_again(play, asked)
            if again is None:
                return
            asked = again
        if asked.at - refused_at < LEAST_PAUSES:
            raise Failed(f"asked again and again within {asked.at - refused_at:.3f} s")
        play.answer(asked)
        await play.finish(asked.link)

    return play_it


async def _asked_again(play: ServicePlay, before: OpenRequest) -> OpenRequest | None:
    """The DataRequest behind a refusal; None where the call ends by a final report instead."""
    link = before.link
    while True:
        await play.says(link, lambda: link.holds(DataRequest) or link.holds(ServiceEvent), "DataRequest or report")
        if link.holds(DataRequest):
            return await play.takes(link, DataRequest)
        report = await play.reports(link)
        play.reply(report, Status.OK)
        if report.request.condition.final:
            await play.says_no_more(link)
            return None


CASES: tuple[Rare[ServicePlay], ...] = (
    Rare("event-ids", "not count its event_ids from 1, as the process before it may have", _event_ids),
    Rare("requests-in-flight", "keep to a max_in_flight of 2 while it serves many customers", _in_flight),
    Rare("data-14", "fetch again later at 14, with pauses, or report how the call ends",
         _data_later_at(Status.TOO_BUSY)),
    Rare("data-50", "fetch again later at 50, with pauses, or report how the call ends",
         _data_later_at(Status.STORE_UNAVAILABLE)),
)  # fmt: skip
"""What may happen to many calls, and before a call has its data."""
