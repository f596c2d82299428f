"""An order: what is to be done with a call; and what carries it out tells of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from attrs import define, field

from ctiex.call_control.calls import AgentCall
from ctiex.call_control.moves import Moves
from ctiex.call_control.settings import CallSettings
from ctiex.call_messages import Action, CallChange, CallParty
from ctiex.errors import CallError, Status
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces.call_platform import CallDestination, CallOut, Connect, DestinationKind, Leg


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
    destination: CallDestination | None = field(default=None, repr=False)
    value: str = field(default="", repr=False)
    seconds: float = 30.0
    fields: Fields = field(default=EMPTY, repr=False)
    new: AgentCall | None = None
    leg_id: str = ""
    """Of the leg that will be called."""

    @property
    def calls(self) -> list[AgentCall]:
        """Those that it has to do with."""
        return [call for call in (self.call, self.pair, self.new) if call is not None]

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


Functions = Mapping[Action, Callable[[Order], Awaitable[None]]]
"""What carries out each action."""


class OrderParts(ABC):
    """What several functions have in common."""

    def __init__(self, moves: Moves, settings: CallSettings, teller: Teller) -> None:
        self._moves = moves
        self._platform = moves.platform
        self._settings = settings
        self._teller = teller

    @property
    @abstractmethod
    def functions(self) -> Functions:
        """Those that this class carries out."""

    async def _call_for(self, order: Order, call: AgentCall, desk: Leg) -> None:
        """Call the destination of an order for the agent at a desk, until they talk."""
        assert order.destination is not None, "it was looked at"
        shown = order.agent if order.destination.kind is DestinationKind.AGENT else self._settings.shown_number
        called = await self._moves.call(
            CallOut(
                order.leg_id, call.id, order.destination, Connect(desk.id), order.seconds, shown=shown, desk=desk.id
            )
        )
        await self._moves.until(lambda: self._moves.are_together(called.id, desk.id))

    async def _let_go(self, mine: Leg, call: str = "") -> None:
        """The agent's part of a call is over: their phone is free, at its desk, or with whom they have in another."""
        leg = self._platform.legs.leg(mine.id)
        if leg is not None and not self._teller.is_off_hook(leg) and not self._has_others(leg, call):
            await self._end(leg)

    def _has_others(self, leg: Leg, but: str = "") -> bool:
        """Whether somebody is with a leg, or held or called for it; those of one call aside."""
        legs = self._platform.legs
        others = [*legs.for_desk(leg.id), *(legs.in_bridge(leg.bridge) if leg.bridge else ())]
        return any(other.id != leg.id and other.call != but for other in others)

    async def _end(self, leg: Leg) -> None:
        try:
            await self._moves.hang_up(leg)
        except CallError:
            pass  # whoever looks after legs that are left over finds it
