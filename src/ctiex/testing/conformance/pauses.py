"""The cases about coming back: how long a client stays away when its link is lost or refused, again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from ctiex.errors import Status
from ctiex.messages import BindReply
from ctiex.testing.conformance.agent_requests import LEAST_PAUSES
from ctiex.testing.conformance.play import Play
from ctiex.testing.conformance.played_link import PlayedLink
from ctiex.testing.conformance.verdicts import Failed, Rare

_LOSSES = 6
_LOOKED_AT = 5
"""So many of the last pauses are compared: chance seldom makes as many alike."""
_ALIKE = 0.01
_TRIES = 3
Loses = Callable[[Play, PlayedLink], Awaitable[None]]
Played = Callable[[Play], Awaitable[None]]


def _pausing(loses: Loses) -> Played:
    """Link after link comes to nothing in the same way."""

    async def play_it(play: Play) -> None:
        link = await play.link()
        play.begun()
        pauses = []
        for _ in range(_LOSSES):
            await loses(play, link)
            lost_at = play.clock.seconds()
            link = await play.link()
            pauses.append(max(0.0, link.opened_at - lost_at))
        judge(pauses)

    return play_it


def judge(pauses: Sequence[float]) -> None:
    """Hold the pauses before each further connection against the rules; how long they may grow, the client says.

    :raise Failed: they are no pauses, or chance has no part in them.
    """
    if sum(pauses) < LEAST_PAUSES:
        raise Failed(f"connected {len(pauses)} times again within {sum(pauses):.3f} s")
    if all(earlier and _is_fixed(later / earlier) for earlier, later in pairwise(pauses[-_LOOKED_AT:])):
        words = ", ".join(f"{pause:.3f}" for pause in pauses)
        raise Failed(f"waited without a random part: {words} s")


def _is_fixed(growth: float) -> bool:
    """Whether a pause is as long as the one before, or twice as long."""
    return any(abs(growth / fixed - 1) < _ALIKE for fixed in (1, 2))


async def _cuts(play: Play, link: PlayedLink) -> None:
    play.cut(link)


async def _cuts_bound(play: Play, link: PlayedLink) -> None:
    play.let_bind(link)
    await play.is_there(link)
    play.cut(link)


async def _sends_away(play: Play, link: PlayedLink) -> None:
    await play.unbinds(link)


async def _is_busy(play: Play, link: PlayedLink) -> None:
    _refuse(link, Status.TOO_BUSY)


def _refuse(link: PlayedLink, status: Status) -> None:
    version = 2 if status is Status.UNSUPPORTED_VERSION else 0
    link.send(BindReply(status, version=version, detail="refused"), link.said.pop(0).invoke_id)
    link.close()


def _mending(refuses: Loses) -> Played:
    """A person has to mend something: the client stays away, or tries seldom."""

    async def play_it(play: Play) -> None:
        link: PlayedLink | None = await play.link()
        play.begun()
        began = play.clock.seconds()
        for _ in range(_TRIES):
            assert link is not None
            await refuses(play, link)
            link = await play.link_soon()
            if link is None:
                return
        if link is not None and link.opened_at - began < LEAST_PAUSES:
            raise Failed(f"tried {_TRIES} times again within {link.opened_at - began:.3f} s")

    return play_it


def _refusing(status: Status) -> Loses:
    async def refuse(play: Play, link: PlayedLink) -> None:
        _refuse(link, status)

    return refuse


async def _revokes(play: Play, link: PlayedLink) -> None:
    await play.unbinds(link, Status.REFUSED_CREDENTIALS)


CASES: tuple[Rare[Play], ...] = (
    Rare("pauses", "wait for a random time before it connects again, when its links are cut", _pausing(_cuts)),
    Rare("pauses-bound", "wait likewise when they are cut as soon as they are bound", _pausing(_cuts_bound)),
    Rare("pauses-bind-later", "wait likewise when each Bind is answered by 14", _pausing(_is_busy)),
    Rare("pauses-unbind", "wait likewise when each link is sent away by Unbind 15", _pausing(_sends_away)),
)  # fmt: skip
"""What may become of many links in a row."""

REFUSALS: tuple[Rare[Play], ...] = (
    Rare("bind-refused", "not repeat a Bind without a pause that was refused by 11",
         _mending(_refusing(Status.REFUSED_CREDENTIALS))),
    Rare("bind-other-version", "not repeat a Bind without a pause that was refused by 3",
         _mending(_refusing(Status.UNSUPPORTED_VERSION))),
    Rare("unbind-refused", "not come back without a pause behind an Unbind 11", _mending(_revokes)),
)  # fmt: skip
"""A client may stay away for long behind these, or for good."""
