"""What orders are made of: one move at a time, and the next when the legs show that it is done (the two-step rule)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ctiex.call_control.calls import AgentCall
from ctiex.call_control.expectations import Expectations
from ctiex.call_control.views import own_legs
from ctiex.errors import CallError, LinkLost, RequestTimedOut, Status
from ctiex.interfaces.call_platform import (
    CallOut,
    ICallPlatform,
    Leg,
    LegPlace,
    LegState,
)
from ctiex.interfaces.telephony import OrderRefused

_TAGS = 3
"""How often a leg is told the call that it belongs to."""
_TOGETHER = (LegPlace.BRIDGE, LegPlace.CONFERENCE)


class Moves:
    """Moves legs of one platform, and waits until they are where they were put."""

    def __init__(self, platform: ICallPlatform, clock: IReactorTime, timeout: float) -> None:
        """:param timeout: how long the platform may take for each move, in seconds."""
        self.platform = platform
        self.expectations = Expectations(clock)
        self._timeout = timeout
        self._given_up: dict[str, bool] = {}
        """By the id of a leg that is being called and is to be no more: whether somebody has answered all the same."""
        self._failed: dict[str, Status] = {}
        """By the id of a leg that was to come: why the device wasn't reached."""
        self._called: dict[str, CallOut] = {}
        """By the ids of legs that are to come."""

    def __len__(self) -> int:
        return len(self.expectations) + len(self._failed) + len(self._called)

    # ------------------------------------------------------------ legs

    def leg(self, id: str) -> Leg:
        """The leg with this id.

        :raise CallError: 60, it is gone.
        """
        leg = self.platform.legs.leg(id)
        if leg is None:
            raise CallError(Status.NO_SUCH_CALL)
        return leg

    def is_gone(self, id: str) -> bool:
        """Whether a leg is gone."""
        return self.platform.legs.leg(id) is None

    def mine(self, call: AgentCall, agent: str) -> Leg:
        """The agent's own leg in a call.

        :raise CallError: 60, there is none.
        """
        party = call.party_of(agent)
        if party is None:
            raise CallError(Status.NO_SUCH_CALL)
        return self.leg(party.id)

    def others(self, call: AgentCall, mine: Leg) -> list[Leg]:
        """The other legs of a call that are connected, supervisors not counted.

        :raise CallError: 61, there is none.
        """
        others = [
            leg
            for leg in own_legs(call.id, self.platform.legs)
            if leg.id != mine.id and leg.state is LegState.CONNECTED and leg.place is not LegPlace.SUPERVISION
        ]
        if not others:
            raise CallError(Status.WRONG_STATE)
        return others

    # ------------------------------------------------------------ one move each

    async def ask(self, taken: Deferred[None]) -> None:
        """Wait until the platform has taken an order, or nobody knows whether it has.

        :raise CallError: 61, it has refused it: the legs weren't as it was thought.
        """
        try:
            await taken
        except OrderRefused:
            raise CallError(Status.WRONG_STATE) from None
        except (LinkLost, RequestTimedOut):
            pass  # the next snapshot shows it

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so.

        :raise CallError: 33, it isn't so in time; 60, a leg is gone.
        """
        await self.expectations.until(ready, self._timeout)

    async def hold(self, other: Leg, mine: Leg) -> None:
        """Put the other side on hold; the agent's leg is alone at its desk then."""
        platform = self.platform
        await self.ask(platform.hold(other, mine) if mine.at_desk else platform.part(other, mine))
        await self.until(
            lambda: self.leg(other.id).place is LegPlace.HOLD and self.leg(mine.id).place is LegPlace.DESK,
        )

    async def connect(self, leg: Leg, other: Leg) -> None:
        """Connect two legs."""
        await self.ask(self.platform.connect(leg, other))
        await self.until(lambda: self.are_together(leg.id, other.id))

    async def confer(self, legs: tuple[Leg, ...], conference: str) -> None:
        """Put legs, two at most, into a conference."""
        await self.ask(self.platform.confer(legs, conference))
        await self.until(lambda: all(self._is_in(leg.id, conference) for leg in legs))

    def _is_in(self, id: str, conference: str) -> bool:
        leg = self.leg(id)
        return leg.place is LegPlace.CONFERENCE and leg.bridge == conference

    def are_together(self, id: str, other: str) -> bool:
        """Whether two legs are connected.

        :raise CallError: 60, one of them is gone.
        """
        leg, peer = self.leg(id), self.leg(other)
        return leg.place in _TOGETHER and leg.bridge == peer.bridge and leg.state is peer.state is LegState.CONNECTED

    async def tag(self, leg: Leg, call: str) -> None:
        """Have a leg belong to another call.

        Asked again where it is refused: those who talk already would stay in two calls, and one be ended by the other.
        """
        if self.leg(leg.id).call == call:
            return
        for left in reversed(range(_TAGS)):
            try:
                await self.ask(self.platform.tag(leg, call))
                break
            except CallError:
                if not left:
                    raise
        await self.until(lambda: self.leg(leg.id).call == call)

    async def to_desk(self, leg: Leg) -> None:
        """Put an agent's leg in its desk."""
        await self.ask(self.platform.to_desk(leg))
        await self.until(lambda: self.leg(leg.id).place is LegPlace.DESK)

    async def hang_up(self, leg: Leg, cause: int = 16) -> None:
        """End a leg."""
        await self.ask(self.platform.hang_up(leg, cause))
        await self.until(lambda: self.is_gone(leg.id))

    # ------------------------------------------------------------ calling

    async def call(self, out: CallOut) -> Leg:
        """Call a device, and wait until somebody has answered.

        :raise CallError: 63 to 66, why nobody has; 33, nothing is known of it; 60, it was answered and hung up again.
        """
        self._called[out.id] = out
        try:
            await self.ask(self.platform.call(out))
            await self.expectations.until(lambda: self._has_answered(out.id), out.seconds + self._timeout)
            return self.leg(out.id)
        finally:
            self._called.pop(out.id, None)
            self._failed.pop(out.id, None)
            self._given_up.pop(out.id, None)

    def _has_answered(self, id: str) -> bool:
        if id in self._failed:
            raise CallError(self._failed[id])
        leg = self.platform.legs.leg(id)
        answered = leg is not None and leg.state is LegState.CONNECTED and leg.place is not LegPlace.NOWHERE
        if id not in self._given_up:
            return answered
        if leg is None and self._given_up[id]:
            raise CallError(Status.NO_SUCH_CALL)
        self._given_up[id] |= answered
        return False

    async def give_up(self, leg: Leg) -> None:
        """Call a device no more. Whoever answers meanwhile is hung up: nobody may be connected with them before."""
        if leg.id in self._given_up:
            return
        self._given_up[leg.id] = False
        try:
            await self.platform.hang_up(leg)
        except (OrderRefused, LinkLost, RequestTimedOut):  # it may go on ringing: then whoever answers is connected
            self._given_up.pop(leg.id, None)
            self.expectations.look()

    def called_for(self, call: str) -> Leg | None:
        """The leg that is being called for this call, as far as it is known."""
        id = next((out.id for out in self._called.values() if out.call == call), "")
        return (self.platform.legs.leg(id) or Leg(id, call)) if id else None

    def dial_failed(self, id: str, status: int) -> None:
        """A device wasn't reached."""
        if id in self._called:
            self._failed[id] = Status.of(status)
