"""The cases for agents' applications: corrections and cancels whose answers are lost, and how much is asked at once."""

from __future__ import annotations

from ctiex.codecs import encode
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import KIND_OF, AgentEvent, CancelRequest, Condition, ConnectReply, ConnectRequest, UpdateRequest
from ctiex.testing.conformance.agent_play import AgentPlay
from ctiex.testing.conformance.play import OpenRequest
from ctiex.testing.conformance.played_link import PlayedLink
from ctiex.testing.conformance.verdicts import Failed, NotSeen, Rare

_NOBODYS = 90_201
"""An invoke id that no client has come to."""
_UPDATES = 4
_SHORT_LIMIT = 2_048


async def _tells(play: AgentPlay, link: PlayedLink, kind: type[UpdateRequest | CancelRequest]) -> None:
    """The application takes the progress that it is to answer so.

    :raise NotSeen: it doesn't; no case asks that of it.
    """
    if not await play.might(lambda: link.holds(kind) or link.lost or link.unbound) or not link.holds(kind):
        raise NotSeen(f"no {kind.__name__} came with the field of the progress")


def _updates(play: AgentPlay, link: PlayedLink) -> list[object]:
    """What the UpdateRequests say that have come and that nobody has taken; they are taken by that."""
    said: list[object] = []
    while update := link.take(UpdateRequest):
        message = update.message
        assert isinstance(message, UpdateRequest)
        if message.serial != play.call.serial or set(message.fields) != {"say"}:
            raise Failed(f"sent another UpdateRequest than the ones of its progress: {dict(message.fields)}")
        said.append(message.fields["say"])
    return said


async def _update_lost(play: AgentPlay) -> None:
    asked = await play.begin()
    play.answer(asked)
    play.update_status = None
    play.tell(asked.link, Condition.PROGRESS, Fields({"say": 1}))
    await _tells(play, asked.link, UpdateRequest)
    _updates(play, asked.link)
    play.cut(asked.link)
    play.update_status = Status.OK
    link = await play.come_back(asked)
    play.tell(link, Condition.PROGRESS, Fields({"say": 2}))
    order: list[object] = []

    def later() -> bool:
        order.extend(_updates(play, link))
        return 2 in order

    await play.says(link, later, "UpdateRequest of the next progress")
    await play.nothing(lambda: _older_over_newer(order + _updates(play, link)))
    await play.finish(link)


def _older_over_newer(order: list[object]) -> str | None:
    """An earlier update that is put behind a later one undoes it."""
    if 1 in order[order.index(2) :]:
        return "put the fields of the UpdateRequest that was lost over those of a later one"
    return None


async def _shorter(play: AgentPlay) -> None:
    """What is to be repeated doesn't fit the next link; nor does its event, which has expired there."""
    asked = await play.begin()
    play.answer(asked)
    play.update_status = None
    play.tell(asked.link, Condition.PROGRESS, Fields({"say": "x" * 2 * _SHORT_LIMIT}))
    await _tells(play, asked.link, UpdateRequest)
    play.mailbox.events.clear()
    play.agreed = {"max_frame": _SHORT_LIMIT}
    play.cut(asked.link)
    link = await play.come_back(asked)
    await play.still_waits(OpenRequest(link, 0, asked.request, 0.0))
    await play.finish(link)


async def _cancels(play: AgentPlay, link: PlayedLink) -> OpenRequest:
    cancel = await play.takes(link, CancelRequest)
    if cancel.request.serial != play.call.serial:
        raise Failed(f"cancelled another call: {cancel.request.serial}")
    return cancel


async def _cancel_lost(play: AgentPlay) -> None:
    """The first CancelRequest never came to the exchange; the second did, and its answer is lost."""
    asked = await play.begin()
    play.answer(asked)
    play.cancel_status = None
    play.tell(asked.link, Condition.PROGRESS, Fields({"cancel": True}))
    await _tells(play, asked.link, CancelRequest)
    play.cut((await _cancels(play, asked.link)).link)
    again = await _cancels(play, await play.come_back(asked))
    play.cut(again.link)
    play.note(Condition.CANCELLED)
    play.cancel_status = Status.ALREADY_FINISHED
    link = await play.come_back(again)
    await play.acknowledges(link)
    await play.leaves(link)


async def _under_id(play: AgentPlay) -> None:
    asked = await play.begin()
    event, _ = play.sample(asked)
    asked.link.write(encode(play.codec, event, _NOBODYS))
    await play.complains(asked.link, Status.MALFORMED, KIND_OF[AgentEvent], _NOBODYS)
    await play.still_waits(asked)
    play.answer(asked)
    await play.finish(asked.link)


async def _in_flight(play: AgentPlay) -> None:
    """While its ConnectRequest waits nothing else may, and then one UpdateRequest after the other."""
    asked = await play.begin(max_in_flight=1)
    link, serial = asked.link, play.keep(asked)
    play.update_status = None
    for say in range(_UPDATES):
        play.tell(link, Condition.PROGRESS, Fields({"say": say}))
    await play.nothing(lambda: _too_many(link, 0))
    link.send(ConnectReply(Status.OK, serial), asked.invoke_id)
    for say in range(_UPDATES):
        if not say:
            await _tells(play, link, UpdateRequest)
        await play.says(link, lambda: link.holds(UpdateRequest), "UpdateRequest of each progress")
        if instead := _too_many(link, 1):
            raise Failed(instead)
        update = await play.takes(link, UpdateRequest)
        play.reply_update(link, update.invoke_id, update.request.serial)
    play.update_status = Status.OK
    await play.finish(link)


def _too_many(link: PlayedLink, most: int) -> str | None:
    """What is asked beyond the limit, in words."""
    waiting = [said for said in link.said if isinstance(said.message, UpdateRequest | ConnectRequest | CancelRequest)]
    return "had two requests in flight, though 1 is max_in_flight" if len(waiting) > most else None


CASES: tuple[Rare[AgentPlay], ...] = (
    Rare("event-under-id", "answer an AgentEvent under an invoke id by Error 1, and leave the link open", _under_id),
    Rare("updates-in-flight", "keep to a max_in_flight of 1: no UpdateRequest while another request waits", _in_flight),
    Rare("update-lost", "put no UpdateRequest whose answer was lost over a later one; it may repeat it before",
         _update_lost),
    Rare("shorter-frames", "send no frame longer than the BindReply of its link says, where one before allowed it",
         _shorter),
    Rare("cancel-lost", "repeat a CancelRequest when its answer was lost, until the call is over", _cancel_lost),
)  # fmt: skip
"""What may become of changes to a call that is kept."""
