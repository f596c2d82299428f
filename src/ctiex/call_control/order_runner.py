"""Carries out orders, one at a time for a call: what is asked meanwhile waits a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from ctiex.call_control.call_watch import CallWatch
from ctiex.call_control.calls import AgentCall
from ctiex.call_control.moves import Moves
from ctiex.call_control.order import Order
from ctiex.call_control.orders import CallOrders
from ctiex.call_control.requests import CallRequests
from ctiex.call_control.telling import Telling
from ctiex.call_control.turns import CallTurns
from ctiex.call_messages import Action, CallChange, CallControlReply
from ctiex.errors import CallError, Status
from ctiex.interfaces.call_platform import Leg

_log = Logger()

Answer = Callable[[CallControlReply], None]


class NewCalls(Protocol):
    """Makes the calls that orders bring about."""

    def begin(self, order: Order) -> None:
        """A call that comes of the order is there from now on."""

    def call_over(self, call: AgentCall) -> None:
        """Nothing is kept of a call that is over."""


class OrderRunner:
    """The orders that are under way."""

    def __init__(
        self, watch: CallWatch, moves: Moves, turns: CallTurns, orders: CallOrders, requests: CallRequests,
        telling: Telling, new_calls: NewCalls, wait: float, look_after: Callable[[Iterable[Leg]], None],
    ) -> None:  # fmt: skip
        """
        :param wait: how long an order waits for the one before, in seconds.
        :param look_after: looks whether somebody was left alone.
        """
        self._watch = watch
        self._moves = moves
        self._turns = turns
        self._orders = orders
        self._requests = requests
        self._telling = telling
        self._new_calls = new_calls
        self._wait = wait
        self._look_after = look_after

    def run(self, order: Order, answer: Answer) -> None:
        """Begin with an order when it is its turn; it is answered then."""
        if order.action in (Action.RECONNECT, Action.CLEAR) and self._interrupted(order):
            if order.action is Action.CLEAR:
                answer(CallControlReply(Status.OK, order.call.id))
                return
            order = Order(Action.RETRIEVE, order.agent, order.main)
        if order.action in (Action.ANSWER, Action.REJECT) and self._moves.called_for(order.call.id) is not None:
            ensureDeferred(self._at_once(order, answer))
            return
        ensureDeferred(self._in_turn(order, answer)).addErrback(
            lambda failure: _log.failure("an order failed", failure)
        )

    def _interrupted(self, order: Order) -> bool:
        """Whether a device was still being called for the call; it is given up, and the order that did so ends."""
        calls = [order.call, *([order.consultation] if order.pair is not None else [])]
        ringing = next((leg for call in calls if (leg := self._moves.called_for(call.id)) is not None), None)
        if ringing is None:
            return False
        ensureDeferred(self._moves.give_up(ringing)).addErrback(
            lambda failure: _log.failure("a device could not be given up", failure)
        )
        return True

    async def _at_once(self, order: Order, answer: Answer) -> None:
        """Whoever is being called takes the call or doesn't: that is what the order under way waits for."""
        try:
            await self._orders.carry_out(order)
        except CallError as error:
            answer(CallControlReply(error.status, order.call.id))
        else:
            answer(CallControlReply(Status.OK, order.call.id, order.call.serial))

    async def _in_turn(self, order: Order, answer: Answer) -> None:
        try:
            taken = await self._turns.take(self._turn_of(order), self._wait)
        except CallError as error:
            answer(CallControlReply(error.status, order.call.id))
            return
        try:
            if self._begins(order, answer):
                await self._carry_out(order)
        finally:
            self._turns.leave(taken)
            legs = self._moves.platform.legs
            self._look_after([leg for call in order.calls for leg in legs.of_call(call.id)])
            self._look_after(legs.of_agent(order.agent))

    def _begins(self, order: Order, answer: Answer) -> bool:
        """Whether the order may still be carried out; it is answered."""
        try:
            self._requests.check_allowed(order)  # again: it may have waited
        except CallError as error:
            answer(CallControlReply(error.status, order.call.id))
            return False
        order.call.by = order.agent
        self._new_calls.begin(order)
        for call in order.calls:
            call.in_order = True
        told = order.new or order.call
        answer(CallControlReply(Status.OK, told.id, told.serial))
        return True

    def _turn_of(self, order: Order) -> set[str]:
        """What no other order may be about meanwhile: its calls, and the agent's leg in them.

        On its way to a customer a leg may look idle: where a call is made, all that the agent has are waited for.
        """
        calls = [call for call in (order.call, order.pair) if call is not None]
        parties = [party for call in calls if (party := call.party_of(order.agent)) is not None]
        own = [party.id for party in parties]
        if order.action is Action.MAKE:
            own = [leg.id for leg in self._moves.platform.legs.of_agent(order.agent)]
        return {call.root for call in calls} | {f"leg {id}" for id in own}

    async def _carry_out(self, order: Order) -> None:
        try:
            await self._orders.carry_out(order)
        except CallError as error:
            self._failed(order, error.status)
        except Exception:
            _log.failure("order {action} failed", action=order.action.name.lower())
            self._failed(order, Status.INTERNAL)
        finally:
            self._over(order)

    def _failed(self, order: Order, status: Status) -> None:
        call = order.new or order.call
        agents = dict.fromkeys([order.agent, *call.agents()])
        self._telling.call_changed(call, CallChange.FAILED, 0, agents, status)

    def _over(self, order: Order) -> None:
        """Tell what has changed meanwhile and wasn't told."""
        self._drop_unused(order)
        for call in order.calls:
            call.in_order = False
        self._watch.loud(*order.calls)
        for call in order.calls:
            self._watch.look(call.id)
            call.by = ""

    def _drop_unused(self, order: Order) -> None:
        """A call that came to nothing before anybody was in it."""
        call, calls = order.new or order.call, self._watch.calls
        if calls.get(call.id) is call and not call.parties and not self._watch.parties_now(call):
            self._telling.call_changed(call, CallChange.CLEARED, 0, [order.agent])
            calls.remove(call)
            self._new_calls.call_over(call)
