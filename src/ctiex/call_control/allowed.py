"""What an agent, or a supervisor, may ask for now: by the states of the parties, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from ctiex.call_control.calls import AgentCall
from ctiex.call_messages import Action, CallParty, ConnectionState, PartyRole, Recording
from ctiex.interfaces.call_platform import Function

NEEDED: dict[Action, Function] = {
    Action.ANSWER: Function.ANSWER,
    Action.CONFERENCE: Function.CONFERENCE,
    Action.ADD_PARTY: Function.CONFERENCE,
    Action.DROP_PARTY: Function.CONFERENCE,
    Action.DIGITS: Function.DIGITS,
    Action.RECORD_START: Function.RECORDING,
    Action.RECORD_PAUSE: Function.RECORDING,
    Action.RECORD_RESUME: Function.RECORDING,
    Action.RECORD_STOP: Function.RECORDING,
    Action.LISTEN: Function.SUPERVISION,
    Action.WHISPER: Function.SUPERVISION,
    Action.BARGE: Function.SUPERVISION,
    Action.STOP_SUPERVISION: Function.SUPERVISION,
}
"""What a platform has to be able to do for an action; the others come to moving legs."""

SUPERVISION = (Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT, Action.STOP_SUPERVISION)
"""For supervisors alone."""

_ALERTING = (Action.ANSWER, Action.REJECT, Action.DEFLECT)
_CONNECTED = (
    Action.HOLD, Action.CONSULT, Action.BLIND_TRANSFER, Action.ADD_PARTY, Action.CLEAR, Action.DIGITS,
    Action.MARK,
)  # fmt: skip
_CONFERENCE = (
    Action.ADD_PARTY, Action.DROP_PARTY, Action.LEAVE, Action.CLEAR, Action.DIGITS, Action.MARK,
)  # fmt: skip
_HELD = (Action.RETRIEVE, Action.BLIND_TRANSFER, Action.CLEAR, Action.MARK)
_TWO_CALLS = (Action.ALTERNATE, Action.RECONNECT, Action.TRANSFER, Action.CONFERENCE)
_RECORDING: dict[Recording, tuple[Action, ...]] = {
    Recording.OFF: (Action.RECORD_START,),
    Recording.ON: (Action.RECORD_PAUSE, Action.RECORD_STOP),
    Recording.PAUSED: (Action.RECORD_RESUME, Action.RECORD_STOP),
}
_CONNECTED_STATES = (ConnectionState.CONNECTED, ConnectionState.HELD_AT_PHONE)


def bits(actions: Iterable[Action]) -> int:
    """Actions as the bits of a number."""
    told = 0
    for action in actions:
        told |= action.bit
    return told


def possible(functions: Function) -> int:
    """All actions that a platform can do."""
    return bits(one for one in Action if NEEDED.get(one, Function.NOTHING) in functions)


def is_conference(call: AgentCall) -> bool:
    """Whether three or more talk, supervisors not counted."""
    talking = [
        one
        for one in call.parties
        if one.connection_state in _CONNECTED_STATES and one.party_role is not PartyRole.SUPERVISOR
    ]
    return len(talking) > 2


def others_connected(call: AgentCall, party: CallParty) -> bool:
    """Whether somebody else is there to be talked with."""
    return any(
        one.connection_state in _CONNECTED_STATES and one.party_role is not PartyRole.SUPERVISOR
        for one in call.parties
        if one is not party
    )


def allowed(call: AgentCall, party: CallParty, pair: AgentCall | None) -> int:
    """What the agent of a party may ask for, whatever the platform can do.

    :param pair: the consultation that belongs to this call, or the call that this consultation is for.
    """
    if party.party_role is not PartyRole.AGENT:
        return 0
    actions = set(_own_actions(call, party))
    if actions and pair is not None and _makes_two(call, pair, party.agent):
        actions.update(_TWO_CALLS)
        # One who talks in the other call can't take this one back before that is held: that is alternate.
        actions -= {Action.CONSULT, Action.ADD_PARTY, Action.BLIND_TRANSFER, Action.RETRIEVE}
    elif actions and pair is not None and call.related and pair.party_of(party.agent) is not None:
        actions.add(Action.RECONNECT)  # the one who is consulted has not answered yet
    if party.connection_state in _CONNECTED_STATES and others_connected(call, party) and not call.with_service:
        actions.update((Action.LISTEN, Action.WHISPER, Action.BARGE, Action.INTERCEPT))
    if call.supervised:
        actions.add(Action.STOP_SUPERVISION)
    return bits(actions)


def _own_actions(call: AgentCall, party: CallParty) -> Iterable[Action]:
    if call.with_service:
        return ()
    match party.connection_state:
        case ConnectionState.ALERTING:
            # An agent's own phone that rings first, for a call that the agent makes, is nobody's to be deflected.
            alone = not any(one is not party for one in call.parties)
            ringing = _ALERTING[:2] if call.in_order else _ALERTING  # who calls waits at their desk, and stays there
            return (Action.CLEAR,) if alone else ringing
        case ConnectionState.CONNECTED if is_conference(call):
            return (*_CONFERENCE, *_RECORDING[call.recording])
        case ConnectionState.CONNECTED if others_connected(call, party):
            return (*_CONNECTED, *_RECORDING[call.recording])
        case ConnectionState.HELD:
            return _HELD
        case ConnectionState.CONNECTED | ConnectionState.INITIATED | ConnectionState.HELD_AT_PHONE:
            return (Action.CLEAR, Action.MARK)
    return ()


def _makes_two(call: AgentCall, pair: AgentCall, agent: str) -> bool:
    """Whether an agent holds one of two calls and talks in the other."""
    mine = [party for one in (call, pair) if (party := one.party_of(agent)) is not None]
    if len(mine) != 2 or call.with_service or pair.with_service:
        return False
    states = {party.connection_state for party in mine}
    active = call if mine[0].connection_state is ConnectionState.CONNECTED else pair
    party = active.party_of(agent)
    assert party is not None
    return states == {ConnectionState.CONNECTED, ConnectionState.HELD} and others_connected(active, party)
