"""Whether what a link asks for may be done, by whom it comes and as the call stands: then it is an order."""

from __future__ import annotations

from collections.abc import Callable

from ctiex.call_control.allowed import NEEDED, SUPERVISION, allowed
from ctiex.call_control.calls import AgentCall, AgentCalls
from ctiex.call_control.destinations import Destinations
from ctiex.call_control.order import Order
from ctiex.call_control.settings import CallSettings
from ctiex.call_control.telling import Telling
from ctiex.call_messages import Action, CallControl, CallParty, PartyRole
from ctiex.errors import CallError, Status
from ctiex.identities import Identity
from ctiex.interfaces.call_platform import CallDestination, DestinationKind, Function, ICallPlatform

_NEEDS_DESTINATION = (Action.MAKE, Action.DEFLECT, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY)
_NEEDS_DEVICE = (Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT)
_DIGITS = frozenset("0123456789*#ABCD")
_MOST_DIGITS = 32
_LONGEST_MARK = 64


class CallRequests:
    """Makes orders of requests."""

    def __init__(
        self, calls: AgentCalls, platform: ICallPlatform, destinations: Destinations, settings: CallSettings,
        telling: Telling, new_id: Callable[[], str],
    ) -> None:  # fmt: skip
        self._calls = calls
        self._platform = platform
        self._destinations = destinations
        self._settings = settings
        self._telling = telling
        self._new_id = new_id

    def order(self, identity: Identity, message: CallControl) -> Order:
        """What is to be done.

        :raise CallError: 60 to 62 or 65, why it isn't.
        """
        if not identity.may_see(message.agent):
            raise CallError(Status.NO_SUCH_CALL)
        if message.action in SUPERVISION and not identity.supervises(message.agent):
            raise CallError(Status.NO_SUCH_CALL)
        if NEEDED.get(message.action, Function.NOTHING) not in self._platform.functions:
            raise CallError(Status.NOT_SUPPORTED)
        if not self._platform.connected:
            raise CallError(Status.OUT_OF_SERVICE, "the platform is away")
        if message.action is Action.MAKE:
            order = self._with(Order(message.action, message.agent, AgentCall(self._new_id())), message)
        else:
            order = self._on_call(message)
        order.destination = self._destination(identity, message, order.call)
        self._check_value(message)
        return order

    def _on_call(self, message: CallControl) -> Order:
        call = self.call_of(message.agent, message.call)
        order = self._with(Order(message.action, message.agent, call, self._pair(call, message)), message)
        if message.action is Action.DROP_PARTY:
            order.party = self._other_party(call, message)
        self.check_allowed(order)
        return order

    def _pair(self, call: AgentCall, message: CallControl) -> AgentCall | None:
        """The other call that is meant: the one that is named, or else the one that belongs to this one.

        :raise CallError: 60, none of this name is the agent's: another one must not be taken in its place.
        """
        if not message.other or message.action is Action.DROP_PARTY:  # which names a party
            return self._telling.pair(call, message.agent)
        return self.call_of(message.agent, message.other)

    def _with(self, order: Order, message: CallControl) -> Order:
        order.value, order.fields = message.value, message.fields
        order.seconds = float(message.seconds or self._settings.ring)
        order.leg_id = self._new_id()
        return order

    def call_of(self, agent: str, id: str) -> AgentCall:
        """The call with this id, in which this agent is.

        :raise CallError: 60, there is none, or it isn't the agent's: the two aren't told apart.
        """
        call = self._calls.get(id)
        if call is None or call.party_of(agent) is None:
            raise CallError(Status.NO_SUCH_CALL)
        return call

    def _other_party(self, call: AgentCall, message: CallControl) -> CallParty:
        party = call.party(message.other)
        if party is None:
            raise CallError(Status.NO_SUCH_CALL)
        return party

    def check_allowed(self, order: Order) -> None:
        """Whether the states of the parties allow it, now.

        :raise CallError: 61, they don't; 60, the agent isn't in the call any more.
        """
        if order.action is Action.MAKE:
            return
        party = order.call.party_of(order.agent)
        if party is None:
            raise CallError(Status.NO_SUCH_CALL)
        if not allowed(order.call, party, order.pair) & order.action.bit:
            raise CallError(Status.WRONG_STATE)

    def _destination(self, identity: Identity, message: CallControl, call: AgentCall) -> CallDestination | None:
        if message.action in _NEEDS_DESTINATION:
            return self._destinations.checked(identity, message.destination)
        if message.action is Action.STOP_SUPERVISION:
            return self._supervisor(identity, message.value or self._only_supervisor(identity, call))
        if message.action in _NEEDS_DEVICE:
            return self._supervisor(identity, message.value) if message.value else None
        return None

    @staticmethod
    def _only_supervisor(identity: Identity, call: AgentCall) -> str:
        """Who supervises for this identity, where the request names nobody: never a supervisor of another one."""
        there = [party.agent for party in call.parties if party.party_role is PartyRole.SUPERVISOR]
        own = [agent for agent in there if identity.may_act_for(agent)]
        if len(own) > 1:
            raise CallError(Status.NO_SUCH_DESTINATION, f"expected in value which one of {', '.join(own)} leaves")
        if not own:
            raise CallError(Status.WRONG_STATE, "none of your supervisors takes part")
        return own[0]

    @staticmethod
    def _supervisor(identity: Identity, device: str) -> CallDestination:
        """The supervisor's own telephone: that of an agent number of their identity."""
        if not device.isdigit() or not identity.may_act_for(device):
            raise CallError(Status.NO_SUCH_DESTINATION)
        return CallDestination(DestinationKind.AGENT, device)

    def _check_value(self, message: CallControl) -> None:
        value = message.value
        match message.action:
            case Action.DIGITS if not (0 < len(value) <= _MOST_DIGITS and _DIGITS.issuperset(value)):
                raise CallError(Status.MALFORMED, f"expected 1 to {_MOST_DIGITS} of 0-9 * # A-D in value")
            case Action.MARK if not (0 < len(value.encode()) <= _LONGEST_MARK):
                raise CallError(Status.MALFORMED, f"expected 1 to {_LONGEST_MARK} bytes in value")
            case Action.LISTEN | Action.WHISPER | Action.BARGE | Action.INTERCEPT if not value:
                raise CallError(Status.NO_SUCH_DESTINATION, "expected the supervisor's agent number in value")
