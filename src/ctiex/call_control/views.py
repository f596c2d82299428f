"""Who is a party of a call, and how connected: worked out of the platform's legs, by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.call_control.calls import AgentCall
from ctiex.call_messages import CallParty, ConnectionState, PartyRole, Recording
from ctiex.interfaces.call_platform import ILegs, Leg, LegPlace, LegState, RecordingState

_RECORDINGS = {
    RecordingState.OFF: Recording.OFF,
    RecordingState.ON: Recording.ON,
    RecordingState.PAUSED: Recording.PAUSED,
}


OFF_HOOK = "off-hook-"
"""How the call of an agent's leg begins that stays when every call is over: it is no call."""


def is_off_hook(leg: Leg) -> bool:
    """Whether an agent's leg stays at its desk when their call is over."""
    return leg.call.startswith(OFF_HOOK)


def own_legs(id: str, legs: ILegs) -> list[Leg]:
    """The legs of a call beside those of agents at their desks, which take part in whatever call they are put into."""
    return [leg for leg in legs.of_call(id) if not leg.at_desk]


def desk_legs(call: AgentCall, own: list[Leg], legs: ILegs) -> Iterator[Leg]:
    """The legs of agents at their desks who take part in a call; ``own`` are the others."""
    found: dict[str, Leg] = {}
    for party in call.parties if own else ():
        leg = legs.leg(party.id)
        if leg is not None and leg.at_desk and leg.place is LegPlace.NOWHERE:  # on the way from one place to another
            found[leg.id] = leg
    for leg in own:
        for other in legs.in_bridge(leg.bridge) if leg.bridge and leg.place is not LegPlace.QUEUE else ():
            if other.at_desk:
                found[other.id] = other
        for other in legs.with_service(leg.service) if leg.service else ():
            if other.at_desk:
                found[other.id] = other
        desk = legs.leg(leg.desk) if leg.desk else None
        if desk is not None and desk.at_desk and not leg.service:
            found[desk.id] = desk
    waiting = legs.leg(call.waits_at_desk) if call.waits_at_desk else None
    if waiting is not None and waiting.at_desk:
        found[waiting.id] = waiting
    yield from found.values()


def parties_of(call: AgentCall, legs: ILegs) -> tuple[CallParty, ...]:
    """Everybody in a call now, agents last."""
    own = own_legs(call.id, legs)
    desks = list(desk_legs(call, own, legs))
    known = {leg.id for leg in own}
    parties = [CallParty(leg.id, _role(leg, call, legs), leg.number, leg.agent, _state(leg)) for leg in own]
    for leg in desks:
        if leg.id not in known:
            state = _state_at_desk(leg, own, call)
            parties.append(CallParty(leg.id, PartyRole.AGENT, leg.number, leg.agent, state))
    return tuple(sorted(parties, key=lambda party: party.party_role))


def recording_of(call: AgentCall, legs: ILegs) -> Recording:
    """Whether anybody in a call is recorded."""
    return max((_RECORDINGS[leg.recording] for leg in legs.of_call(call.id)), default=Recording.OFF)


def queue_of(call: AgentCall, legs: ILegs) -> str:
    """The queue that a call came through."""
    return next((leg.queue for leg in own_legs(call.id, legs) if leg.queue), call.queue)


def _role(leg: Leg, call: AgentCall, legs: ILegs) -> PartyRole:
    if leg.place is LegPlace.SUPERVISION or leg.id in call.supervisors:
        return PartyRole.SUPERVISOR
    if leg.agent:
        return PartyRole.AGENT
    dialler = legs.leg(leg.dialled_by) if leg.dialled_by else None
    if dialler is not None and dialler.place is LegPlace.SERVICE and not dialler.agent:
        return PartyRole.SERVICE
    return PartyRole.OTHER if call.related else PartyRole.CUSTOMER


def _state(leg: Leg) -> ConnectionState:
    if leg.state is LegState.INITIATED:
        return ConnectionState.INITIATED
    if leg.state is LegState.ALERTING:
        return ConnectionState.ALERTING
    if leg.place is LegPlace.QUEUE:
        return ConnectionState.QUEUED
    if leg.held_at_phone:
        return ConnectionState.HELD_AT_PHONE
    if leg.place is LegPlace.SERVICE and leg.agent:
        return ConnectionState.HELD
    return ConnectionState.CONNECTED


def _state_at_desk(leg: Leg, own: list[Leg], call: AgentCall) -> ConnectionState:
    """An agent at the desk holds a call until they are together with who is held for them: on the way they aren't."""
    together = leg.bridge and any(other.bridge == leg.bridge for other in own)
    if together:
        return ConnectionState.HELD_AT_PHONE if leg.held_at_phone else ConnectionState.CONNECTED
    others = [other for other in own if other.desk == leg.id and other.state is LegState.CONNECTED]
    before = call.party(leg.id)
    held = before is not None and before.connection_state is ConnectionState.HELD
    if leg.place is LegPlace.NOWHERE and before is not None:
        return before.connection_state
    if leg.place is LegPlace.SERVICE or any(held or other.place is LegPlace.HOLD for other in others):
        return ConnectionState.HELD
    return ConnectionState.CONNECTED
