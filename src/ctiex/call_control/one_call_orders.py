"""Making, answering, holding and ending a call, and what else is done with one."""

from __future__ import annotations

from ctiex.call_control.moves import Moves
from ctiex.call_control.order import Functions, Order, OrderParts, Teller
from ctiex.call_control.settings import CallSettings
from ctiex.call_messages import Action, CallChange
from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    DestinationKind,
    Leg,
    LegPlace,
    LegState,
    RecordingState,
    ToDesk,
)

REJECTED = 21
"""Cause value of Q.850: call rejected."""
_RECORDING = {
    Action.RECORD_START: RecordingState.ON,
    Action.RECORD_PAUSE: RecordingState.PAUSED,
    Action.RECORD_RESUME: RecordingState.ON,
    Action.RECORD_STOP: RecordingState.OFF,
}


class OneCallOrders(OrderParts):
    """Functions for one call."""

    def __init__(self, moves: Moves, settings: CallSettings, teller: Teller) -> None:
        super().__init__(moves, settings, teller)
        self._recordings = 0

    @property
    def functions(self) -> Functions:
        """Those of this class."""
        return {
            Action.MAKE: self._make,
            Action.ANSWER: self._answer,
            Action.REJECT: self._reject,
            Action.DEFLECT: self._deflect,
            Action.HOLD: self._hold,
            Action.RETRIEVE: self._retrieve,
            Action.CLEAR: self._clear,
            Action.DIGITS: self._digits,
            Action.MARK: self._mark,
            **dict.fromkeys(_RECORDING, self._record),
        }

    async def _make(self, order: Order) -> None:
        """The agent first: where their phone isn't off the hook, it rings before the destination does."""
        call, desk = order.call, self._idle_desk(order.agent)
        if desk is None:
            agent = CallDestination(DestinationKind.AGENT, order.agent)
            desk = await self._moves.call(CallOut(call.id, call.id, agent, ToDesk(), order.seconds))
        call.waits_at_desk = desk.id
        try:
            await self._call_for(order, call, desk)
        except CallError:
            await self._let_go(desk)  # meanwhile somebody may have been connected with it
            raise
        finally:
            call.waits_at_desk = ""

    def _idle_desk(self, agent: str) -> Leg | None:
        legs = self._platform.legs
        return next(
            (
                leg
                for leg in legs.of_agent(agent)
                if leg.place is LegPlace.DESK and not any(True for _ in legs.for_desk(leg.id))
            ),
            None,
        )

    async def _answer(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        await self._moves.ask(self._platform.answer(mine))
        await self._moves.until(lambda: self._moves.leg(mine.id).state is LegState.CONNECTED)

    async def _reject(self, order: Order) -> None:
        await self._moves.hang_up(self._moves.mine(order.call, order.agent), REJECTED)

    async def _deflect(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        caller = self._moves.leg(mine.dialled_by)
        assert order.destination is not None, "it was looked at"
        self._teller.quiet(order.call)
        await self._moves.ask(self._platform.send(caller, order.destination, order.seconds))
        await self._moves.until(lambda: self._moves.is_gone(mine.id))
        self._teller.tell(order.call, CallChange.DIVERTED)

    async def _hold(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        await self._moves.hold(self._moves.others(order.call, mine)[0], mine)

    async def _retrieve(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        if mine.place is not LegPlace.DESK:
            raise CallError(Status.WRONG_STATE)  # the agent talks in another call: that is to be held first
        await self._moves.connect(self._moves.others(order.call, mine)[0], mine)

    async def _clear(self, order: Order) -> None:
        """Everybody is hung up; a phone that is off the hook stays so."""
        legs = self._platform.legs
        parties = [leg for party in order.call.parties if (leg := legs.leg(party.id)) is not None]
        for leg in parties:
            if self._teller.is_off_hook(leg) or (leg.at_desk and self._has_others(leg, but=order.call.id)):
                continue
            await self._moves.hang_up(leg)
        for leg in parties:
            if self._teller.is_off_hook(leg) and not self._moves.is_gone(leg.id):
                await self._moves.until(lambda leg=leg: self._moves.leg(leg.id).place is LegPlace.DESK)  # type: ignore[misc]

    async def _digits(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        await self._moves.ask(self._platform.send_digits(self._moves.others(order.call, mine)[0], order.value))

    async def _mark(self, order: Order) -> None:
        self._teller.marked(order.call, Fields({"mark": order.value}))

    async def _record(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        leg, state = self._moves.others(order.call, mine)[0], _RECORDING[order.action]
        self._recordings += order.action is Action.RECORD_START
        word = "".join(character if character.isalnum() else "-" for character in order.call.serial or order.call.id)
        await self._moves.ask(self._platform.record(leg, state, f"{word}-{self._recordings}"))
        await self._moves.until(lambda: self._moves.leg(leg.id).recording is state)
