"""What links are told of agents' calls and states: events, and snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attrs import evolve

from ctiex.call_control import data
from ctiex.call_control.allowed import SUPERVISION, allowed, bits, possible
from ctiex.call_control.calls import AgentCall, AgentCalls
from ctiex.call_control.monitors import MonitoredAgent, Monitors
from ctiex.call_messages import (
    AgentStateEvent,
    CallChange,
    CallEvent,
    CallParty,
    ConnectionState,
    Page,
    PartyRole,
    Recording,
    Snapshot,
)
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.interfaces.call_platform import ICallPlatform
from ctiex.processing.stored_time import StoredTime

_HAS_THE_CALL = (ConnectionState.CONNECTED, ConnectionState.HELD, ConnectionState.HELD_AT_PHONE)
_FOR_SUPERVISORS = bits(SUPERVISION)


class Telling:
    """Makes the messages, each as the link that it goes to may see it."""

    def __init__(
        self, calls: AgentCalls, monitors: Monitors, platform: ICallPlatform, clock: StoredTime,
        secret: Collection[str], tells_of_supervision: bool,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._monitors = monitors
        self._platform = platform
        self._clock = clock
        self._secret = secret
        self._tells_of_supervision = tells_of_supervision

    # ------------------------------------------------------------ events

    def call_changed(
        self, call: AgentCall, change: CallChange, cause: int, agents: Iterable[str], status: int = Status.OK
    ) -> None:
        """Something has happened to a call; the agents are those whose call it is, or was."""
        for agent in agents:
            for monitor in self._monitors.of(agent):
                if change is not CallChange.SUPERVISION_CHANGED or self._sees_supervisors(monitor):
                    monitor.link.tell(self._event(call, change, cause, status, monitor))

    def _event(
        self, call: AgentCall, change: CallChange, cause: int, status: int, monitor: MonitoredAgent
    ) -> CallEvent:
        return CallEvent(
            monitor.agent,
            self._clock.now(),
            int(change),
            cause,
            status,
            call.by,
            *self._described(call, monitor),
        )

    def _described(
        self, call: AgentCall, monitor: MonitoredAgent
    ) -> tuple[str, str, str, str, Recording, tuple[CallParty, ...], int, Fields]:
        """What an event and a page of a snapshot have in common, in their order."""
        return (
            call.id, call.serial, call.related, call.queue, call.recording, self.parties(call, monitor), call.version,
            self.shown(call, call.fields, monitor.identity, monitor.agent),
        )  # fmt: skip

    def agent_state(self, agent: str, event: AgentStateEvent) -> None:
        """The state of an agent has changed."""
        self._monitors.tell(agent, lambda monitor: event)

    # ------------------------------------------------------------ snapshots

    def snapshot(self, monitor: MonitoredAgent, state: AgentStateEvent) -> None:
        """Tell a link everything of an agent: all at once, so nothing else is told between."""
        monitor.link.tell(state)
        calls, now = self._calls.of_agent(monitor.agent), self._clock.now()
        for number, call in enumerate(calls):
            page = Page.LAST if number == len(calls) - 1 else Page.MORE
            monitor.link.tell(
                Snapshot(
                    monitor.agent,
                    now,
                    page,
                    *self._described(call, monitor),
                )
            )
        if not calls:
            monitor.link.tell(Snapshot(monitor.agent, now, Page.LAST))

    # ------------------------------------------------------------ as a link may see it

    def parties(self, call: AgentCall, monitor: MonitoredAgent) -> tuple[CallParty, ...]:
        """The parties of a call, and what may be asked for now."""
        can = possible(self._platform.functions)
        if not monitor.identity.supervises(monitor.agent):
            can &= ~_FOR_SUPERVISORS
        sees = self._sees_supervisors(monitor)
        return tuple(
            evolve(party, actions=allowed(call, party, self.pair(call, party.agent)) & can) if party.agent else party
            for party in call.parties
            if sees or party.party_role is not PartyRole.SUPERVISOR
        )

    def _sees_supervisors(self, monitor: MonitoredAgent) -> bool:
        return self._tells_of_supervision or monitor.identity.supervises(monitor.agent)

    def pair(self, call: AgentCall, agent: str) -> AgentCall | None:
        """The consultation of an agent for this call, or the call that this consultation is for."""
        return self._calls.pair(call, agent)

    def shown(self, call: AgentCall, fields: Fields, identity: Identity, agent: str) -> Fields:
        """Data of a call, as an identity sees it that asks about this agent, or is told of them."""
        party = call.party_of(agent)
        has_it = identity.may_act_for(agent) and party is not None and party.connection_state in _HAS_THE_CALL
        return fields if has_it else data.masked(fields, self._secret)
