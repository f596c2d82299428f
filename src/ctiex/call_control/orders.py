"""Each function, made of moves. Who may ask for it, and whether it is possible now, was looked at before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from attrs import define, field

from ctiex.call_control.calls import AgentCall
from ctiex.call_control.moves import Moves
from ctiex.call_control.settings import CallSettings
from ctiex.call_messages import Action, CallChange, CallParty
from ctiex.errors import CallError, Status
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces.call_platform import (
    CallOut,
    Confer,
    Connect,
    Destination,
    DestinationKind,
    Leg,
    LegState,
    Place,
    RecordingState,
    Supervise,
    Supervision,
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
_SUPERVISION = {
    Action.LISTEN: Supervision.LISTEN,
    Action.WHISPER: Supervision.WHISPER,
    Action.BARGE: Supervision.BARGE,
}


@define(eq=False)
class Order:
    """What is to be done."""

    action: Action
    agent: str
    call: AgentCall
    """The one that is named; with make and consult the new one is ``new``."""
    pair: AgentCall | None = None
    """The consultation of this call, or the call that it is for."""
    party: CallParty | None = None
    """Another party that is meant."""
    destination: Destination | None = field(default=None, repr=False)
    value: str = field(default="", repr=False)
    seconds: float = 30.0
    fields: Fields = field(default=EMPTY, repr=False)
    new: AgentCall | None = None
    leg_id: str = ""
    """Of the leg that will be called."""

    @property
    def main(self) -> AgentCall:
        """The call of the customer: that which a consultation is for."""
        return self.pair if self.pair is not None and self.call.related else self.call

    @property
    def consultation(self) -> AgentCall:
        """The other one of the two.

        :raise CallError: 61, there is none.
        """
        if self.pair is None:
            raise CallError(Status.WRONG_STATE)
        return self.call if self.call.related else self.pair


class Teller(Protocol):
    """What orders tell of what they have done."""

    def quiet(self, *calls: AgentCall) -> None:
        """Nothing is told of these calls until ``tell``, or until the order is over."""

    def tell(self, call: AgentCall, change: CallChange) -> None:
        """Something was done to a call that its parties alone don't show."""

    def merged(self, main: AgentCall, consultation: AgentCall) -> None:
        """A consultation has become a part of the call that it was for."""

    def is_off_hook(self, leg: Leg) -> bool:
        """Whether an agent's leg stays when its call is over."""

    def marked(self, call: AgentCall, fields: Fields) -> None:
        """These fields are put over the data of a call."""

    def new_leg_id(self) -> str:
        """An id that no leg has."""


class CallOrders:
    """Carries out orders on one platform."""

    def __init__(self, moves: Moves, settings: CallSettings, teller: Teller) -> None:
        self._moves = moves
        self._platform = moves.platform
        self._settings = settings
        self._teller = teller
        self._recordings = 0
        self._do: dict[Action, Callable[[Order], Awaitable[None]]] = {
            Action.MAKE: self._make,
            Action.ANSWER: self._answer,
            Action.REJECT: self._reject,
            Action.DEFLECT: self._deflect,
            Action.HOLD: self._hold,
            Action.RETRIEVE: self._retrieve,
            Action.CONSULT: self._consult,
            Action.ALTERNATE: self._alternate,
            Action.RECONNECT: self._reconnect,
            Action.TRANSFER: self._transfer,
            Action.BLIND_TRANSFER: self._blind_transfer,
            Action.CONFERENCE: self._conference,
            Action.ADD_PARTY: self._add_party,
            Action.DROP_PARTY: self._drop_party,
            Action.LEAVE: self._leave,
            Action.CLEAR: self._clear,
            Action.DIGITS: self._digits,
            Action.MARK: self._mark,
            Action.INTERCEPT: self._intercept,
            Action.STOP_SUPERVISION: self._stop_supervision,
            **dict.fromkeys(_RECORDING, self._record),
            **dict.fromkeys(_SUPERVISION, self._supervise),
        }

    async def carry_out(self, order: Order) -> None:
        """Do what an order says.

        :raise CallError: 33, 60, 61, 63 to 66: how far it came shows in the legs.
        """
        await self._do[order.action](order)

    # ------------------------------------------------------------ making and answering

    async def _make(self, order: Order) -> None:
        """The agent first: where their phone isn't off the hook, it rings before the destination does."""
        call, desk = order.call, self._idle_desk(order.agent)
        if desk is None:
            agent = Destination(DestinationKind.AGENT, order.agent)
            desk = await self._moves.call(CallOut(call.id, call.id, agent, ToDesk(), order.seconds))
        call.waits_at_desk = desk.id
        try:
            await self._call_for(order, call, desk)
        except CallError:
            if not self._teller.is_off_hook(desk):
                await self._end(desk)
            raise
        finally:
            call.waits_at_desk = ""

    async def _call_for(self, order: Order, call: AgentCall, desk: Leg) -> Leg:
        """Call the destination of an order for the agent at a desk."""
        assert order.destination is not None, "it was looked at"
        shown = order.agent if order.destination.kind is DestinationKind.AGENT else self._settings.shown_number
        return await self._moves.call(
            CallOut(
                order.leg_id, call.id, order.destination, Connect(desk.id), order.seconds, shown=shown, desk=desk.id
            )
        )

    def _idle_desk(self, agent: str) -> Leg | None:
        legs = self._platform.legs
        return next(
            (
                leg
                for leg in legs.of_agent(agent)
                if leg.place is Place.DESK and not any(True for _ in legs.for_desk(leg.id))
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

    # ------------------------------------------------------------ hold and consultation

    async def _hold(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        await self._moves.hold(self._moves.others(order.call, mine)[0], mine)

    async def _retrieve(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        if mine.place is not Place.DESK:
            raise CallError(Status.WRONG_STATE)  # the agent talks in another call: that is to be held first
        await self._moves.connect(self._moves.others(order.call, mine)[0], mine)

    async def _consult(self, order: Order) -> None:
        """Where nobody is reached the customer stays held, and the agent fetches them or tries again."""
        mine = self._moves.mine(order.call, order.agent)
        await self._moves.hold(self._moves.others(order.call, mine)[0], mine)
        assert order.new is not None, "it was made with the order"
        await self._call_for(order, order.new, self._moves.leg(mine.id))

    async def _alternate(self, order: Order) -> None:
        held, talking = self._held_and_talking(order)
        mine = self._moves.mine(talking, order.agent)
        other = self._moves.others(held, mine)[0]
        await self._moves.hold(self._moves.others(talking, mine)[0], mine)
        await self._moves.connect(self._moves.leg(other.id), self._moves.leg(mine.id))

    def _held_and_talking(self, order: Order) -> tuple[AgentCall, AgentCall]:
        main, consultation = order.main, order.consultation
        mine = self._moves.mine(main, order.agent)
        talks = mine.bridge and any(leg.bridge == mine.bridge for leg in self._moves.others(main, mine))
        return (consultation, main) if talks else (main, consultation)

    async def _reconnect(self, order: Order) -> None:
        """Back to the customer, without who was consulted, or is still being called."""
        main, consultation = order.main, order.consultation
        mine = self._moves.mine(main, order.agent)
        for leg in self._legs_of(consultation, mine):
            await self._moves.hang_up(leg)
        customer = self._moves.others(main, mine)[0]
        await self._moves.until(
            lambda: self._moves.leg(mine.id).place is not Place.BRIDGE or self._with(customer, mine)
        )
        if not self._with(customer, mine):
            await self._moves.connect(self._moves.leg(customer.id), self._moves.leg(mine.id))

    def _with(self, leg: Leg, other: Leg) -> bool:
        return self._moves.are_together(leg.id, other.id)

    def _legs_of(self, call: AgentCall, mine: Leg) -> list[Leg]:
        legs = self._platform.legs
        return [leg for leg in legs.of_call(call.id) if leg.id != mine.id and not leg.at_desk]

    # ------------------------------------------------------------ transfer and conference

    async def _transfer(self, order: Order) -> None:
        main, consultation = order.main, order.consultation
        mine = self._moves.mine(main, order.agent)
        customer, target = self._moves.others(main, mine)[0], self._moves.others(consultation, mine)[0]
        self._teller.quiet(main, consultation)
        await self._moves.connect(customer, target)
        await self._moves.tag(target, main.id)
        self._teller.merged(main, consultation)
        self._teller.tell(main, CallChange.TRANSFERRED)
        await self._let_go(mine)

    async def _blind_transfer(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        customer = self._moves.others(order.call, mine)[0]
        assert order.destination is not None, "it was looked at"
        if not mine.at_desk:  # else the platform ends the agent's leg before it is known that the customer goes
            await self._moves.hold(customer, mine)
        self._teller.quiet(order.call)
        self._teller.marked(order.call, order.fields)
        await self._moves.ask(self._platform.send(self._moves.leg(customer.id), order.destination, order.seconds))
        await self._moves.until(lambda: self._has_gone_on(customer.id, mine.id))
        self._teller.tell(order.call, CallChange.TRANSFERRED)
        await self._let_go(mine)

    def _has_gone_on(self, customer: str, mine: str) -> bool:
        leg = self._moves.leg(customer)
        return leg.desk != mine and not (leg.bridge and leg.bridge == self._moves.leg(mine).bridge)

    async def _let_go(self, mine: Leg) -> None:
        """The agent's part is over: their phone is free, or at its desk."""
        if not self._moves.is_gone(mine.id) and not self._teller.is_off_hook(mine):
            await self._end(mine)

    async def _end(self, leg: Leg) -> None:
        try:
            await self._moves.hang_up(leg)
        except CallError:
            pass  # whoever looks after legs that are left over finds it

    async def _conference(self, order: Order) -> None:
        main, consultation = order.main, order.consultation
        mine = self._moves.mine(main, order.agent)
        held, talking = self._held_and_talking(order)
        other, waiting = self._moves.others(talking, mine)[0], self._moves.others(held, mine)[0]
        self._teller.quiet(main, consultation)
        await self._moves.confer((mine, other), main.id)
        await self._moves.confer((self._moves.leg(waiting.id),), main.id)
        for leg in (other, waiting):
            await self._moves.tag(self._moves.leg(leg.id), main.id)
        self._teller.merged(main, consultation)
        self._teller.tell(main, CallChange.CONFERENCED)

    async def _add_party(self, order: Order) -> None:
        mine = self._moves.mine(order.call, order.agent)
        if mine.place is not Place.CONFERENCE:
            other = self._moves.others(order.call, mine)[0]
            self._teller.quiet(order.call)
            await self._moves.confer((mine, other), order.call.id)
            self._teller.tell(order.call, CallChange.CONFERENCED)
        assert order.destination is not None, "it was looked at"
        conference = self._moves.leg(mine.id).bridge
        await self._moves.call(
            CallOut(order.leg_id, order.call.id, order.destination, Confer(conference), order.seconds)
        )
        self._teller.tell(order.call, CallChange.CONFERENCED)

    async def _drop_party(self, order: Order) -> None:
        assert order.party is not None, "it was looked at"
        await self._leave_conference(self._moves.leg(order.party.id))

    async def _leave(self, order: Order) -> None:
        await self._leave_conference(self._moves.mine(order.call, order.agent))

    async def _leave_conference(self, leg: Leg) -> None:
        if self._teller.is_off_hook(leg):
            await self._moves.to_desk(leg)
        else:
            await self._moves.hang_up(leg)

    async def _clear(self, order: Order) -> None:
        """Everybody is hung up; a phone that is off the hook stays so."""
        legs = self._platform.legs
        parties = [leg for party in order.call.parties if (leg := legs.leg(party.id)) is not None]
        for leg in parties:
            if self._teller.is_off_hook(leg) or self._holds_another(leg, order.call):
                continue
            await self._moves.hang_up(leg)
        for leg in parties:
            if self._teller.is_off_hook(leg) and not self._moves.is_gone(leg.id):
                await self._moves.until(lambda leg=leg: self._moves.leg(leg.id).place is Place.DESK)  # type: ignore[misc]

    def _holds_another(self, leg: Leg, call: AgentCall) -> bool:
        """Whether an agent's leg has somebody of another call."""
        return leg.at_desk and any(other.call != call.id for other in self._platform.legs.for_desk(leg.id))

    # ------------------------------------------------------------ what else is done with a call

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

    # ------------------------------------------------------------ supervisors

    async def _supervise(self, order: Order) -> None:
        """A supervisor hears an agent; one who does already takes part in another way."""
        how, mine = _SUPERVISION[order.action], self._moves.mine(order.call, order.agent)
        already = self._supervising(mine, order)
        if already is not None:
            await self._moves.ask(self._platform.supervise(already, how))
            await self._moves.until(lambda: self._moves.leg(already.id).supervision is how)
            return
        assert order.destination is not None, "it was looked at"
        await self._moves.call(
            CallOut(order.leg_id, order.call.id, order.destination, Supervise(mine.id, how), order.seconds)
        )

    def _supervising(self, mine: Leg, order: Order) -> Leg | None:
        device = order.destination.name if order.destination is not None else ""
        legs = self._platform.legs.of_call(order.call.id)
        return next((leg for leg in legs if leg.supervised == mine.id and device in ("", leg.agent, leg.number)), None)

    async def _stop_supervision(self, order: Order) -> None:
        already = self._supervising(self._moves.mine(order.call, order.agent), order)
        if already is None:
            raise CallError(Status.WRONG_STATE)
        await self._moves.hang_up(already)

    async def _intercept(self, order: Order) -> None:
        """The supervisor takes the customer over."""
        mine = self._moves.mine(order.call, order.agent)
        customer = self._moves.others(order.call, mine)[0]
        supervisor = self._supervising(mine, order)
        if supervisor is None:
            assert order.destination is not None, "it was looked at"
            out = CallOut(order.leg_id, order.call.id, order.destination, ToDesk(), order.seconds)
            supervisor = await self._moves.call(out)
        else:
            await self._moves.to_desk(supervisor)
        if not mine.at_desk:
            await self._moves.hold(customer, mine)
        self._teller.quiet(order.call)
        await self._moves.connect(self._moves.leg(customer.id), self._moves.leg(supervisor.id))
        self._teller.tell(order.call, CallChange.TRANSFERRED)
        await self._let_go(mine)
