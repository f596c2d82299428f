"""Consultation, alternate, reconnect, transfer and conference."""

from __future__ import annotations

from ctiex.call_control.calls import AgentCall
from ctiex.call_control.order import Functions, Order, OrderParts
from ctiex.call_messages import Action, CallChange
from ctiex.interfaces.call_platform import CallOut, Confer, Leg, LegPlace


class TwoCallOrders(OrderParts):
    """Functions for agents with two calls, and for calls of more than two."""

    @property
    def functions(self) -> Functions:
        """Those of this class."""
        return {
            Action.CONSULT: self._consult,
            Action.ALTERNATE: self._alternate,
            Action.RECONNECT: self._reconnect,
            Action.TRANSFER: self._transfer,
            Action.BLIND_TRANSFER: self._blind_transfer,
            Action.CONFERENCE: self._conference,
            Action.ADD_PARTY: self._add_party,
            Action.DROP_PARTY: self._drop_party,
            Action.LEAVE: self._leave,
        }

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
            lambda: self._moves.leg(mine.id).place is not LegPlace.BRIDGE or self._with(customer, mine)
        )
        if not self._with(customer, mine):
            await self._moves.connect(self._moves.leg(customer.id), self._moves.leg(mine.id))

    def _with(self, leg: Leg, other: Leg) -> bool:
        return self._moves.are_together(leg.id, other.id)

    def _legs_of(self, call: AgentCall, mine: Leg) -> list[Leg]:
        legs = self._platform.legs
        return [leg for leg in legs.of_call(call.id) if leg.id != mine.id and not leg.at_desk]

    async def _transfer(self, order: Order) -> None:
        main, consultation = order.main, order.consultation
        mine = self._moves.mine(main, order.agent)
        customer, target = self._moves.others(main, mine)[0], self._moves.others(consultation, mine)[0]
        self._teller.quiet(main, consultation)
        await self._moves.connect(customer, target)
        await self._moves.tag(target, main.id)
        self._teller.merged(main, consultation)
        self._teller.tell(main, CallChange.TRANSFERRED)
        await self._let_go(mine, main.id)

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
        await self._let_go(mine, order.call.id)

    def _has_gone_on(self, customer: str, mine: str) -> bool:
        leg = self._moves.leg(customer)
        return leg.desk != mine and not (leg.bridge and leg.bridge == self._moves.leg(mine).bridge)

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
        if mine.place is not LegPlace.CONFERENCE:
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
