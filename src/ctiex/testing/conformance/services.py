"""The cases for automatic services: customers who come, and calls that end."""

from __future__ import annotations

from ctiex.codecs import encode
from ctiex.errors import Status
from ctiex.messages import (
    KIND_OF,
    CallEnded,
    Condition,
    Connection,
    ConnectionReply,
    DataChanged,
    DataRequest,
    ServiceEvent,
)
from ctiex.testing.conformance.play import OpenRequest
from ctiex.testing.conformance.service_play import CUSTOMER, ServicePlay
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_UNKNOWN_CONDITION = Condition(0x90)


async def _call_ended(play: ServicePlay) -> None:
    await _ended(play, Condition.CANCELLED)


async def _ended_somehow(play: ServicePlay) -> None:
    await _ended(play, _UNKNOWN_CONDITION)


async def _ended(play: ServicePlay, condition: Condition) -> None:
    asked = await play.begin()
    await play.is_answered(asked.link, CallEnded(play.serial, condition))
    await play.is_answered(asked.link, CallEnded(play.serial, condition))  # the answer was lost on its way
    play.refuse(asked)
    await play.says_no_more(asked.link)


async def _unknown_ended(play: ServicePlay) -> None:
    asked = await play.begin()
    await play.is_answered(asked.link, CallEnded(play.new_serial(), Condition.TIMED_OUT))
    play.answer(asked)
    await play.finish(asked.link)


async def _ended_behind_cut(play: ServicePlay) -> None:
    asked = await play.begin()
    play.cut(asked.link)
    link = await play.bound()
    await play.is_answered(link, CallEnded(play.serial, Condition.CANCELLED))
    play.settle_data(Status.UNKNOWN_SERIAL)
    await play.nothing(lambda: play.reported(link))


async def _data_changed(play: ServicePlay) -> None:
    asked = await play.begin()
    _updates(play)
    await play.is_answered(asked.link, DataChanged(play.serial))
    play.answer(asked)  # it may fetch again
    await play.finish(asked.link)


def _updates(play: ServicePlay) -> None:
    if "updates" not in play.wanted_features:
        raise NotSeen("the feature updates was not asked for")


async def _unknown_changed(play: ServicePlay) -> None:
    asked = await play.begin()
    _updates(play)
    await play.is_answered(asked.link, DataChanged(play.new_serial()))
    play.answer(asked)
    await play.finish(asked.link)


async def _doubled(play: ServicePlay) -> None:
    asked = await play.begin()
    await play.accepts(asked.link)
    await play.nothing(lambda: play.reported(asked.link))
    play.answer(asked)
    await play.finish(asked.link)


async def _again_behind_cut(play: ServicePlay) -> None:
    asked = await play.begin()
    play.cut(asked.link)
    link = await play.bound()
    await play.accepts(link)
    play.answer(await play.takes(link, DataRequest))
    await play.finish(link)


async def _late(play: ServicePlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    await play.finish(asked.link)
    await play.replies(asked.link, play.offer(asked.link), ConnectionReply)
    await play.is_there(asked.link)


async def _unknown_serial(play: ServicePlay) -> None:
    asked = await play.begin()
    play.refuse(asked)
    play.data_status = None  # whoever asks once more hasn't taken it as final

    def more() -> str | None:
        while report := asked.link.take(ServiceEvent):
            play.reply(OpenRequest(asked.link, report.invoke_id, report.message, report.at), Status.UNKNOWN_SERIAL)
            if report.message in refused:
                return "reported again under the same event_id, though 20 is final"
            refused.append(report.message)
        return play.says_more(asked.link)

    refused: list[object] = []
    await play.nothing(more)


async def _unknown_code(play: ServicePlay) -> None:
    asked = await play.begin()
    reply = await play.replies(
        asked.link, play.offer(asked.link, "7999", f"{CUSTOMER}**{play.new_serial()}"), ConnectionReply
    )
    if reply.status == Status.OK:
        raise Failed("accepted a customer for an access code that it doesn't serve")
    play.answer(asked)
    await play.finish(asked.link)


async def _no_serial(play: ServicePlay) -> None:
    asked = await play.begin()
    await play.replies(asked.link, play.offer(asked.link, calling_number=CUSTOMER), ConnectionReply)
    play.answer(asked)
    await play.finish(asked.link)


async def _without_id(play: ServicePlay) -> None:
    asked = await play.begin()
    connection = Connection("7000", f"{CUSTOMER}**{play.new_serial()}")
    asked.link.write(encode(play.codec, connection, 0))
    await play.complains(asked.link, Status.MALFORMED, KIND_OF[Connection], 0)
    play.answer(asked)
    await play.finish(asked.link)


CASES: tuple[Rare[ServicePlay], ...] = (
    Rare("call-ended", "answer CallEnded each time, give the call up, and report nothing more", _call_ended),
    Rare("call-ended-somehow", "take any condition of a CallEnded as the end", _ended_somehow),
    Rare("call-ended-unknown", "answer CallEnded of a call that it doesn't know", _unknown_ended),
    Rare("call-ended-behind-cut", "answer CallEnded on another link, and give the call up", _ended_behind_cut),
    Rare("data-changed", "answer DataChanged, and go on", _data_changed),
    Rare("data-changed-unknown", "answer DataChanged of a call that it doesn't know", _unknown_changed),
    Rare("doubled-connection", "accept a Connection again that comes twice, and serve the customer once", _doubled),
    Rare("connection-behind-cut", "accept a Connection again on the next link, and serve once", _again_behind_cut),
    Rare("late-connection", "answer a Connection that comes behind the end of its call", _late),
    Rare("data-unknown", "take DataResult 20 as final", _unknown_serial),
    Rare("unknown-access-code", "refuse a Connection for an access code that it doesn't serve", _unknown_code),
    Rare("no-serial", "answer a Connection whose calling number has no serial", _no_serial),
    Rare("connection-without-id", "answer a Connection under invoke id 0 by Error 1", _without_id),
)  # fmt: skip
"""What may happen to a call."""
