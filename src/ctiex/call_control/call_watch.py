"""Watches the legs: works out what has happened to which call, and tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from ctiex.call_control.allowed import allowed
from ctiex.call_control.calls import AgentCall, AgentCalls
from ctiex.call_control.changes import changes
from ctiex.call_control.views import OFF_HOOK, desk_legs, own_legs, parties_of, queue_of, recording_of
from ctiex.call_messages import CallChange, CallParty, PartyRole, Recording
from ctiex.interfaces.call_platform import ICallPlatform, Leg, LegPlace, LegState


class CallWatchListener(Protocol):
    """Hears what has happened to calls."""

    def call_changed(
        self, call: AgentCall, change: CallChange, cause: int, agents: Iterable[str]
    ) -> None:  # fmt: skip
        """Something has happened.

        :param agents: the agents who are parties, or were before.
        """

    def call_began(self, call: AgentCall) -> None:
        """There is a new one, of which nothing was told yet."""

    def call_over(self, call: AgentCall) -> None:
        """It is over, and was told so."""

    def customer_returned(self, call: AgentCall) -> None:
        """A hand-off of it is over: it needs another serial, before that is told."""


class CallWatch:
    """The calls of one platform's agents."""

    def __init__(self, platform: ICallPlatform, listener: CallWatchListener) -> None:
        self._platform = platform
        self._listener = listener
        self.calls = AgentCalls()
        self._call_of: dict[str, str] = {}
        """By the id of a leg: the call that it belonged to when it was looked at last."""
        self._agent_of: dict[str, str] = {}
        self._quiet: dict[str, bool] = {}
        """Calls of which nothing is told for now, and whether anything has changed meanwhile."""

    def __len__(self) -> int:
        return len(self.calls) + len(self._call_of) + len(self._agent_of) + len(self._quiet)

    # ------------------------------------------------------------ what may have changed

    def leg_changed(self, leg: Leg) -> set[str]:
        """Look at all calls that a leg has to do with; returns their ids."""
        affected = self._affected(leg)
        self._call_of[leg.id] = leg.call
        if leg.agent:
            self._agent_of[leg.id] = leg.agent
        return self.look_at(affected)

    def leg_gone(self, id: str, cause: int) -> set[str]:
        """A leg is no more."""
        affected = {self._call_of.pop(id, "")}
        affected.update(call.id for call in self.calls.of_agent(self._agent_of.pop(id, "")))
        return self.look_at(affected, cause)

    def look_at(self, ids: Iterable[str], cause: int = 0) -> set[str]:
        """Look at these calls."""
        looked = {id for id in ids if id}
        for id in sorted(looked):
            self.look(id, cause)
        return looked

    def _affected(self, leg: Leg) -> set[str]:
        legs = self._platform.legs
        affected = {leg.call, self._call_of.get(leg.id, "")}
        if leg.agent:
            affected.update(call.id for call in self.calls.of_agent(leg.agent))
            affected.update(other.call for other in legs.for_desk(leg.id))
        if leg.bridge and leg.place is not LegPlace.QUEUE:
            affected.update(other.call for other in legs.in_bridge(leg.bridge))
        return affected

    def take_up(self) -> Iterator[None]:
        """Look at everything, behind a loss of events; a call in each step."""
        ids = dict.fromkeys(leg.call for leg in self._platform.legs.all())
        ids.update(dict.fromkeys(call.id for call in self.calls))
        self._call_of = {leg.id: leg.call for leg in self._platform.legs.all()}
        self._agent_of = {leg.id: leg.agent for leg in self._platform.legs.all() if leg.agent}
        yield
        for id in ids:
            if id:
                self.look(id)
            yield

    # ------------------------------------------------------------ one call

    def look(self, id: str, cause: int = 0) -> None:
        """Tell what has happened to a call since it was looked at last."""
        if id.startswith(OFF_HOOK):
            return
        if id in self._quiet:
            self._quiet[id] = True
            return
        call = self.calls.get(id) or self._begun(id)
        if call is None:
            return
        parties = parties_of(call, self._platform.legs)
        if not parties and call.in_order:
            return
        told = [*changes(call.parties, parties), *self._other_changes(call)]
        before = list(call.agents())
        if call.parties != parties:
            self.calls.told(call, parties)
        for change in told:
            self._tell(call, change, cause, before)
        if not parties and not own_legs(id, self._platform.legs) and not call.waits_at_desk:
            self._over(call)
        self._look_at_actions(call, bool(told))

    def _look_at_actions(self, call: AgentCall, was_told: bool) -> None:
        """What an agent with two calls may ask for in one hangs on the other, too."""
        for one in (call, *self.calls.pairs(call)):
            actions = self._actions(one)
            if actions == one.actions:
                continue
            if one.id in self._quiet:
                self._quiet[one.id] = True
                continue
            one.actions = actions
            if one is not call or not was_told:
                self._tell(one, CallChange.ACTIONS_CHANGED, 0, ())

    def _actions(self, call: AgentCall) -> tuple[int, ...]:
        return tuple(allowed(call, one, self.calls.pair(call, one.agent)) for one in call.parties if one.agent)

    def _begun(self, id: str) -> AgentCall | None:
        """A call begins for us when an agent is in it."""
        call = AgentCall(id)
        if not any(party.party_role is PartyRole.AGENT for party in parties_of(call, self._platform.legs)):
            return None
        self.calls.put(call)
        self._listener.call_began(call)
        return call

    def _tell(self, call: AgentCall, change: CallChange, cause: int, before: Iterable[str]) -> None:
        agents = dict.fromkeys([*call.agents(), *before])
        if agents:
            self._listener.call_changed(call, change, cause, agents)

    def _over(self, call: AgentCall) -> None:
        self.calls.remove(call)
        self._listener.call_over(call)

    def _other_changes(self, call: AgentCall) -> Iterator[CallChange]:
        legs = self._platform.legs
        call.queue = queue_of(call, legs)
        yield from self._recording(call, recording_of(call, legs))
        own = own_legs(call.id, legs)
        supervised = tuple(
            (leg.id, leg.supervision.value if leg.supervision else "")
            for leg in own
            if leg.place is LegPlace.SUPERVISION
        )
        if supervised != call.supervised:
            call.supervised = supervised
            yield CallChange.SUPERVISION_CHANGED
        with_service = self._is_with_service(call, [*own, *desk_legs(call, own, legs)])
        if with_service != call.with_service:
            call.with_service = with_service
            if not with_service and own:
                self._listener.customer_returned(call)
            yield CallChange.HANDED_OVER if with_service else CallChange.RETURNED

    @staticmethod
    def _is_with_service(call: AgentCall, legs: list[Leg]) -> bool:
        """Whoever hears that the customer has returned may go on with them: neither is on the way any more."""
        if any(leg.place is LegPlace.SERVICE for leg in legs):
            return True
        moving = any(leg.place is LegPlace.NOWHERE and leg.state is LegState.CONNECTED for leg in legs)
        return call.with_service and moving and any(leg.agent for leg in legs)

    @staticmethod
    def _recording(call: AgentCall, recording: Recording) -> Iterator[CallChange]:
        if recording is not call.recording:
            call.recording = recording
            yield CallChange.RECORDING_CHANGED

    # ------------------------------------------------------------ what orders tell

    def quiet(self, *calls: AgentCall) -> None:
        """Nothing is told of these until the order is over, or says what it did."""
        for call in calls:
            self._quiet.setdefault(call.id, False)

    def loud(self, *calls: AgentCall) -> None:
        """Tell again, and what has changed meanwhile."""
        for call in calls:
            if self._quiet.pop(call.id, False):
                self.look(call.id)

    def tell(self, call: AgentCall, change: CallChange) -> None:
        """Tell what an order has done, with the parties as they are now, and nothing else of what changed meanwhile."""
        self._quiet.pop(call.id, None)
        before = list(call.agents())
        parties = parties_of(call, self._platform.legs)
        self.calls.told(call, parties)
        call.actions = self._actions(call)
        self._tell(call, change, 0, before)
        self.look(call.id)

    def parties_now(self, call: AgentCall) -> tuple[CallParty, ...]:
        """Who is in a call, told or not."""
        return parties_of(call, self._platform.legs)
