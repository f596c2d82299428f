"""A call as a store in memory holds it: a tuple of plain values, half the size of the attrs object.

The garbage collector looks once at an exact tuple of numbers, texts and bytes and never
again, so a million of them cost it no pause. Nothing else may go in: no enum member, no
frozenset, no float in a container of its own.
"""

from __future__ import annotations

from sys import intern
from typing import Final

from ctiex.records import Call, CallState

Record = tuple[str, str, bytes, bytes, str, str, str, float, int, tuple[int, ...]]
"""State, owner, data, number and digest, agent, service, identity, deadline, conditions told, event_ids."""

_STATES = {state.value: state for state in CallState}
FETCHED = CallState.FETCHED.value
STATE: Final = 0
OWNER: Final = 1
DATA: Final = 2
"""Where these three stand in a record, for who asks for nothing else of it."""
_NO_EVENT: frozenset[int] = frozenset()


def packed(call: Call) -> Record:
    """The record of a call."""
    digest = call.digest
    return (
        call.state.value,
        intern(call.owner),
        call.data,
        bytes((len(digest),)) + digest + call.calling_number.encode(),
        intern(call.agent),
        intern(call.service),
        intern(call.identity),
        call.deadline,
        sum(1 << condition for condition in call.told) if call.told else 0,
        tuple(sorted(call.event_ids)),
    )


def unpacked(serial: str, record: Record) -> Call:
    """The call of a record."""
    state, owner, data, caller, agent, service, identity, deadline, told, event_ids = record
    digest_end = caller[0] + 1
    return Call(
        serial,
        agent,
        service,
        identity,
        caller[digest_end:].decode(),
        caller[1:digest_end],
        data,
        _STATES[state],
        deadline,
        owner,
        _conditions(told),
        frozenset(event_ids) if event_ids else _NO_EVENT,
    )


def _conditions(told: int) -> frozenset[int]:
    made = _TOLD.get(told)
    if made is None:
        made = frozenset(condition for condition in range(told.bit_length()) if told >> condition & 1)
        if len(_TOLD) < _MOST_TOLD:
            _TOLD[told] = made
    return made


_MOST_TOLD = 256
_TOLD: dict[int, frozenset[int]] = {0: _NO_EVENT}
"""The few sets of conditions that come up."""
