"""Looks after whoever is left alone or in two calls: no customer is in silence, no agent's leg waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.call_control.moves import Moves
from ctiex.call_control.turns import CallTurns
from ctiex.errors import CallError
from ctiex.interfaces.call_platform import ILegs, Leg, LegPlace, LegState

_log = Logger()


def is_left_alone(leg: Leg, legs: ILegs) -> bool:
    """Whether a customer is with nobody: held for an agent who is gone, or alone where others should be."""
    if leg.agent or leg.state is not LegState.CONNECTED:
        return False
    if leg.place is LegPlace.HOLD:
        desk = legs.leg(leg.desk)
        return desk is None or not desk.at_desk
    if leg.place in (LegPlace.BRIDGE, LegPlace.CONFERENCE):
        return not any(other.id != leg.id for other in legs.in_bridge(leg.bridge))
    return False


def waits_for_nobody(leg: Leg, legs: ILegs) -> bool:
    """Whether an agent's leg is at its desk, or alone in a conference, with nobody held, ringing or called for it."""
    if not leg.agent or leg.state is not LegState.CONNECTED:
        return False
    alone = leg.place is LegPlace.DESK or (
        leg.place in (LegPlace.CONFERENCE, LegPlace.BRIDGE)
        and not any(other.id != leg.id for other in legs.in_bridge(leg.bridge))
    )
    return alone and not any(True for _ in legs.for_desk(leg.id))


def call_meant(leg: Leg, legs: ILegs, root: str) -> str:
    """The call of those whom somebody in another one talks with: a transfer was cut off in its middle; empty: none.

    :param root: the call that the leg's own is the consultation for.
    """
    if leg.place not in (LegPlace.BRIDGE, LegPlace.CONFERENCE) or not (leg.agent or leg.outbound):
        return ""
    others = [other for other in legs.in_bridge(leg.bridge) if other.id != leg.id and not other.at_desk]
    if any(other.call == leg.call for other in others):
        return ""
    return next((one.call for one in others if one.call == root or not (one.agent or one.outbound)), "")


class Guard:
    """Looks at legs that have changed, a moment later, when no order is under way."""

    def __init__(
        self, moves: Moves, turns: CallTurns, clock: IReactorTime, seconds: float,
        root_of: Callable[[Leg], str], is_off_hook: Callable[[Leg], bool], makes: Callable[[Leg], bool],
    ) -> None:  # fmt: skip
        """
        :param seconds: how long somebody may be left alone.
        :param root_of: which calls' turn it takes to move a leg.
        :param makes: whether an agent's leg waits for a call that is being made.
        """
        self._moves = moves
        self._turns = turns
        self._clock = clock
        self._seconds = seconds
        self._root_of = root_of
        self._is_off_hook = is_off_hook
        self._makes = makes
        self._seen: dict[str, tuple[str, str]] = {}
        """By the id of a leg: its bridge, and the agent's leg that it is for, when it was looked at last."""
        self._watched: dict[str, IDelayedCall] = {}
        """By the id of a leg: when it is looked at again."""

    def __len__(self) -> int:
        return len(self._watched) + len(self._seen)

    def stop(self) -> None:
        """Look at nobody any more."""
        for timer in self._watched.values():
            timer.cancel()
        self._watched.clear()

    def look(self, legs: Iterable[Leg]) -> None:
        """These may have been left alone, and whom they have left; whom they have come to may be in another call."""
        for leg in legs:
            if self._moves.platform.legs.leg(leg.id) is None:
                continue  # it has gone before it was its turn
            before, now = self._seen.get(leg.id, ("", "")), (leg.bridge, leg.desk)
            self._seen[leg.id] = now
            self._look(leg)
            if before != now:
                self._look_at_those_with(before)
                self._look_at_those_with(now)

    def _look_at_those_with(self, seen: tuple[str, str]) -> None:
        bridge, desk = seen
        legs = self._moves.platform.legs
        for other in list(legs.in_bridge(bridge)) if bridge else ():
            self._look(other)
        agents = legs.leg(desk)
        if agents is not None:
            self._look(agents)

    def _look(self, leg: Leg) -> None:
        is_wrong = self._is_alone(leg) or self._call_meant(leg) != ""
        if is_wrong and leg.id not in self._watched:
            self._watched[leg.id] = self._clock.callLater(self._seconds, self._due, leg.id)
        elif not is_wrong and leg.id in self._watched:
            self._watched.pop(leg.id).cancel()

    def take_up(self) -> Iterator[None]:
        """Behind a loss of events: whoever went meanwhile is forgotten, all others are looked at, one in each step."""
        legs = self._moves.platform.legs
        for id in [id for id in dict.fromkeys((*self._seen, *self._watched)) if legs.leg(id) is None]:
            self.gone(id)
        yield
        for leg in legs.all():
            self.look([leg])
            yield

    def gone(self, id: str) -> None:
        """A leg is no more: whoever was with it may be alone, the agent whom it was held for wait for nobody."""
        timer = self._watched.pop(id, None)
        if timer is not None:
            timer.cancel()
        self._look_at_those_with(self._seen.pop(id, ("", "")))

    def _is_alone(self, leg: Leg) -> bool:
        legs = self._moves.platform.legs
        if is_left_alone(leg, legs):
            return True
        return waits_for_nobody(leg, legs) and not self._is_off_hook(leg) and not self._makes(leg)

    def _call_meant(self, leg: Leg) -> str:
        """Off the hook a leg belongs to no call, whoever it talks with."""
        return "" if self._is_off_hook(leg) else call_meant(leg, self._moves.platform.legs, self._root_of(leg))

    def _due(self, id: str) -> None:
        del self._watched[id]
        leg = self._moves.platform.legs.leg(id)
        if leg is not None and (self._is_alone(leg) or self._call_meant(leg)):
            ensureDeferred(self._look_after(leg)).addErrback(self._not_done, id)

    async def _look_after(self, leg: Leg) -> None:
        """Nobody else moves the leg meanwhile; whoever did before may have settled it."""
        roots = await self._turns.take({self._root_of(leg), self._call_meant(leg) or self._root_of(leg)}, self._seconds)
        try:
            current = self._moves.platform.legs.leg(leg.id)
            if current is None:
                return
            if self._is_alone(current):
                await self._end_or_fall_back(current)
            elif call := self._call_meant(current):
                await self._moves.tag(current, call)
        finally:
            self._turns.leave(roots)

    async def _end_or_fall_back(self, leg: Leg) -> None:
        if leg.agent:
            await self._moves.hang_up(leg)
        else:
            await self._moves.ask(self._moves.platform.fall_back(leg))
            await self._moves.until(lambda: not self._still_alone(leg.id))

    def _still_alone(self, id: str) -> bool:
        leg = self._moves.platform.legs.leg(id)
        return leg is not None and self._is_alone(leg)

    def _not_done(self, failure: Failure, id: str) -> None:
        """Tried again: the platform may be away, or an order under way."""
        if failure.check(CallError) is None:
            _log.failure("a leg that was left alone could not be looked after", failure)
        if id not in self._watched:
            self._watched[id] = self._clock.callLater(self._seconds, self._due, id)
