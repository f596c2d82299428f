"""What has happened to a call, by what its parties were and are."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.call_messages import CallChange, CallParty, ConnectionState

_HELD = (ConnectionState.HELD, ConnectionState.HELD_AT_PHONE)

CHANGE_OF: dict[ConnectionState, CallChange] = {
    ConnectionState.INITIATED: CallChange.ORIGINATED,
    ConnectionState.ALERTING: CallChange.ALERTING,
    ConnectionState.QUEUED: CallChange.QUEUED,
    ConnectionState.CONNECTED: CallChange.ESTABLISHED,
    ConnectionState.HELD: CallChange.HELD,
    ConnectionState.HELD_AT_PHONE: CallChange.HELD,
    ConnectionState.FAILED: CallChange.FAILED,
}
"""By the state that a party has come into."""


def changes(before: tuple[CallParty, ...], now: tuple[CallParty, ...]) -> Iterator[CallChange]:
    """What has happened, each kind once, in the order of the parties; who left comes last."""
    if not now:
        if before:
            yield CallChange.CLEARED
        return
    were = {party.id: party.connection_state for party in before}
    connected = sum(party.connection_state is ConnectionState.CONNECTED for party in now)
    told: dict[CallChange, None] = {}
    for party in now:
        was, state = were.pop(party.id, None), party.connection_state
        if was is not state:
            told[_change(was, state, connected)] = None
    if len(told) > 1:  # who called is there before the others; what these do tells more
        told.pop(CallChange.ORIGINATED, None)
    if were:
        told[CallChange.PARTY_DROPPED] = None
    yield from told


def _change(was: ConnectionState | None, state: ConnectionState, connected: int) -> CallChange:
    if was in _HELD and state is ConnectionState.CONNECTED:
        return CallChange.RETRIEVED
    if state is ConnectionState.CONNECTED and connected < 2:
        return CallChange.ORIGINATED
    return CHANGE_OF.get(state, CallChange.ESTABLISHED)
