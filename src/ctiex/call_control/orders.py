"""Each function, made of moves. Who may ask for it, and whether it is possible now, was looked at before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ctiex.call_control.moves import Moves
from ctiex.call_control.one_call_orders import OneCallOrders
from ctiex.call_control.order import Order, Teller
from ctiex.call_control.settings import CallSettings
from ctiex.call_control.supervisor_orders import SupervisorOrders
from ctiex.call_control.two_call_orders import TwoCallOrders
from ctiex.call_messages import Action


class CallOrders:
    """Carries out orders on one platform."""

    def __init__(self, moves: Moves, settings: CallSettings, teller: Teller) -> None:
        parts = [part(moves, settings, teller) for part in (OneCallOrders, TwoCallOrders, SupervisorOrders)]
        self._do: dict[Action, Callable[[Order], Awaitable[None]]] = {}
        for part in parts:
            self._do.update(part.functions)

    async def carry_out(self, order: Order) -> None:
        """Do what an order says.

        :raise CallError: 33, 60, 61, 63 to 66: how far it came shows in the legs.
        """
        await self._do[order.action](order)
