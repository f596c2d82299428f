"""Calls as the index holds them: those changed last as they are, all others as tuples of plain values.

A tuple takes half the room of the attrs object, and the garbage collector looks once at an exact tuple of numbers,
texts and bytes and never again, so a million of them cost it no pause. Nothing else may go in: no enum member, no
frozenset, no float in a container of its own. A call that goes on is changed a dozen times within seconds: packing it
each time would cost more than all the rest of a store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from struct import Struct
from sys import intern
from typing import Final

from ctiex.records import DIGEST_SIZE, Call, CallState

Record = tuple[str, str, bytes, bytes, str, str, str, float, int, bytes, str, bytes, int, int, int, bool, bool]
"""State, owner, data, number and digest, agent, service, identity, deadline, conditions told, reports, reference,
fields as they were asked for, begun, since, ended as, changed, refused."""

_STATES = {state.value: state for state in CallState}
_FETCHED = CallState.FETCHED
FETCHED = _FETCHED.value
STATE: Final = 0
OWNER: Final = 1
DATA: Final = 2
CHANGED: Final = 15
REFUSED: Final = 16
"""Where these stand in a record, for who asks for nothing else of it."""
_NO_REPORTS: Mapping[int, bytes] = {}
_REPORT = Struct(f">Q{DIGEST_SIZE}s")
_MOST_LOOSE = 4_096
"""Calls that are held as they are; when there are more, the quarter that came first is packed."""


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
        packed_reports(call.reports),
        call.reference,
        call.asked,
        call.begun,
        call.since,
        int(call.ended_as),
        call.changed,
        call.refused,
    )


def unpacked(serial: str, record: Record) -> Call:
    """The call of a record."""
    state, owner, data, caller, agent, service, identity, deadline, told, reports = record[:10]
    reference, asked, begun, since, ended_as, changed, refused = record[10:]
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
        reference,
        asked,
        begun,
        since,
        owner,
        _conditions(told),
        unpacked_reports(reports),
        ended_as,
        changed,
        refused,
    )


def packed_reports(reports: Mapping[int, bytes]) -> bytes:
    """What was reported of a call, in one piece."""
    return b"".join(_REPORT.pack(event_id, digest) for event_id, digest in reports.items()) if reports else b""


def unpacked_reports(data: bytes) -> Mapping[int, bytes]:
    """What was reported of a call.

    :raise struct.error: it isn't as it was packed.
    """
    return dict(_REPORT.iter_unpack(data)) if data else _NO_REPORTS


@lru_cache(256)
def _conditions(told: int) -> frozenset[int]:
    """One of the few sets of conditions that come up."""
    return frozenset(condition for condition in range(told.bit_length()) if told >> condition & 1)


Held = Call | Record
"""A call in either form. Neither is ever changed, so a remembered one stays as it was."""


def as_call(serial: str, held: Held) -> Call:
    """The call of either form."""
    return held if isinstance(held, Call) else unpacked(serial, held)


class Calls:
    """Calls by serial."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._loose: dict[str, None] = {}
        """The serials of those that aren't packed, the oldest first."""

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Call]:
        for serial, held in self._held.items():
            yield as_call(serial, held)

    def check(self, call: Call) -> None:
        """See that a call can be packed, where it comes for the first time.

        :raise ValueError: (or what its values raise) it can't.
        """
        if call.serial not in self._held:
            packed(call)

    def put(self, call: Call) -> None:
        """Hold a call, in place of what stood under its serial."""
        serial = call.serial
        self._held[serial] = call
        self._loose[serial] = None
        if len(self._loose) > _MOST_LOOSE:
            for old in list(islice(self._loose, _MOST_LOOSE // 4)):
                self.pack(old)

    def pack(self, serial: str) -> None:
        """Hold a call in little room."""
        del self._loose[serial]
        held = self._held[serial]
        assert isinstance(held, Call)
        self._held[serial] = packed(held)

    def put_packed(self, call: Call) -> None:
        """Hold one of very many calls that aren't about to change."""
        self._held[call.serial] = packed(call)
        self._loose.pop(call.serial, None)

    def get(self, serial: str) -> Call | None:
        """The call with this serial, or None."""
        held = self._held.get(serial)
        return held if held is None or isinstance(held, Call) else unpacked(serial, held)

    def fetched(self, serial: str, owner: str) -> bytes | None:
        """The data of a call that this owner has fetched before; none that was changed or refused since."""
        held = self._held.get(serial)
        if held is None:
            return None
        if isinstance(held, Call):
            at_rest = held.state is _FETCHED and held.owner == owner and not (held.changed or held.refused)
            return held.data if at_rest else None
        at_rest = held[OWNER] == owner and held[STATE] == FETCHED and not (held[CHANGED] or held[REFUSED])
        return held[DATA] if at_rest else None

    def held(self, serial: str) -> Held | None:
        """What stands under a serial, to be put back by :meth:`put_back`."""
        return self._held.get(serial)

    def put_back(self, serial: str, held: Held | None) -> None:
        """Have again what stood under a serial."""
        self.forget(serial)
        if isinstance(held, Call):
            self.put(held)
        elif held is not None:
            self._held[serial] = held

    def forget(self, serial: str) -> None:
        """Hold this call no longer."""
        self._held.pop(serial, None)
        self._loose.pop(serial, None)

    def clear(self) -> None:
        """Hold none."""
        self._held.clear()
        self._loose.clear()
