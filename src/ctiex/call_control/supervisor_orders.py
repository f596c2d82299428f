"""Supervisors listen, whisper, barge in, and take over."""

from __future__ import annotations

from ctiex.call_control.order import Functions, Order, OrderParts
from ctiex.call_messages import Action, CallChange
from ctiex.errors import CallError, Status
from ctiex.interfaces.call_platform import CallOut, Leg, Supervise, Supervision, ToDesk

_SUPERVISION = {
    Action.LISTEN: Supervision.LISTEN,
    Action.WHISPER: Supervision.WHISPER,
    Action.BARGE: Supervision.BARGE,
}


class SupervisorOrders(OrderParts):
    """Functions for supervisors."""

    @property
    def functions(self) -> Functions:
        """Those of this class."""
        return {
            Action.STOP_SUPERVISION: self._stop_supervision,
            Action.INTERCEPT: self._intercept,
            **dict.fromkeys(_SUPERVISION, self._supervise),
        }

    async def _supervise(self, order: Order) -> None:
        """A supervisor hears an agent; one who does already takes part in another way."""
        how, mine = _SUPERVISION[order.action], self._moves.mine(order.call, order.agent)
        already = self._supervising(mine, order)
        if already is not None:
            await self._moves.ask(self._platform.supervise(already, how))
            await self._moves.until(lambda: self._moves.leg(already.id).supervision is how)
            return
        assert order.destination is not None, "it was looked at"
        order.call.supervisors = frozenset({order.leg_id})
        try:
            out = CallOut(order.leg_id, order.call.id, order.destination, Supervise(mine.id, how), order.seconds)
            await self._moves.call(out)
        finally:
            order.call.supervisors = frozenset()

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
        await self._let_go(mine, order.call.id)
