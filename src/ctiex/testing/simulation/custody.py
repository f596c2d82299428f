"""Whose each call is: the service that was offered it last has it, and no one before.

Fed with what the exchange decides, at the moment when it decides it, and held against what is on the disk: what isn't
kept may still be undone, so no service may be sent away for it.
"""

from __future__ import annotations

from collections import defaultdict

from attrs import define, field

from ctiex.errors import Status
from ctiex.identities import ANY_OWNER, Identity
from ctiex.messages import Condition
from ctiex.processing.states import ENDED, SIGNALLED
from ctiex.records import Call, CallState
from ctiex.testing.simulation.ledger import KEPT, Ledger
from ctiex.testing.simulation.store import Disk

_ANY = ""
"""Offered to any service that serves it: the customer goes there by telephone."""
_NOBODY = "nobody"
"""Offered to no one yet."""


@define(eq=False)
class Holding:
    """The last offer of a call."""

    identity: str = _NOBODY
    """Whom it went to; empty: any that serves the service."""
    service: str = ""
    came: set[str] = field(factory=set)
    """The identities that came for a call that any may come for: for its data, or with a report."""
    fetched: str = ""
    """The identity that was given the data last."""
    given_up: bool = False
    """Whether the session has refused, or was lost, before it accepted."""
    refused: bool = False
    accepted: bool = False
    too_late: bool = False
    """Whether the exchange has decided that no service was reached in time, and had its driver let go: the store may
    have to be told more than once, and an answer that comes meanwhile changes nothing."""
    back: bool = False
    """Whether a driver has told that the customer is with the agent again."""

    def is_for(self, identity: Identity) -> bool:
        """Whether this identity may have the call."""
        if self.identity != _ANY:
            return self.identity == identity.name
        return identity.may_serve(self.service)


class Custody:
    """Holds what is answered to services against whom each call was offered to."""

    def __init__(self, ledger: Ledger, disk: Disk) -> None:
        self._ledger = ledger
        self._disk = disk
        self._held: defaultdict[str, Holding] = defaultdict(Holding)

    # ------------------------------------------------------------ offers

    def begun(self, serial: str) -> None:
        """Another call goes under this serial."""
        self._held.pop(serial, None)

    def written(self, serial: str, identity: str) -> Holding:
        """The exchange writes a Connection to a session of this identity."""
        holding = self._held[serial] = Holding(identity)
        return holding

    def forwarded(self, serial: str) -> None:
        """The customer is on the way to the service by telephone: any service that serves it may come for the data."""
        if self._held[serial].identity != _ANY or self.is_over(serial):
            call = self.on_disk(serial)
            self._held[serial] = Holding(_ANY, "" if call is None else call.service)

    def answered(self, serial: str, holding: Holding, status: int | None) -> None:
        """The exchange hears the ConnectionReply to an offer; None: that its session is lost."""
        if self._held[serial] is holding and not holding.too_late:
            holding.accepted = status == Status.OK
            holding.given_up = status != Status.OK
            holding.refused = holding.given_up and status is not None

    def refused(self, serial: str) -> None:
        """The telephone call to the service was refused."""
        held = self._held[serial]
        held.refused = held.refused or held.identity == _ANY

    def accepted(self, serial: str) -> None:
        """The telephone call to the service was answered."""
        held = self._held[serial]
        if held.identity == _ANY:
            held.accepted = True

    def exchange_died(self) -> None:
        """What services had accepted and isn't on the disk may be offered again, to another one."""
        for serial, held in self._held.items():
            call = self.on_disk(serial)
            held.accepted = held.accepted and call is not None and call.state not in SIGNALLED

    def taken_up(self, call: Call) -> None:
        """Another exchange goes on with a call, or will: that it was to be offered is kept, if not written."""
        owner = _ANY if call.owner == ANY_OWNER else call.owner
        if call.owner and call.state in SIGNALLED and self._held[call.serial].identity != owner:
            self._held[call.serial] = Holding(owner, call.service)

    def lost(self) -> None:
        """The store has lost some of what was kept: whose calls are, is what stands there now."""
        self._held.clear()
        for call in self._disk.calls.values():
            owner = _ANY if call.owner == ANY_OWNER else call.owner or _NOBODY
            accepted = Condition.CONNECTED in call.told and call.state not in (*SIGNALLED, CallState.CLOSED)
            self._held[call.serial] = Holding(
                owner, call.service, given_up=call.refused, refused=call.refused, accepted=accepted
            )

    def hears_of(self, call: Call) -> str:
        """The identity that is to hear how a call has ended; empty where nobody is."""
        held = self._held[call.serial]
        if call.owner in ("", ANY_OWNER) or held.identity not in (_ANY, call.owner):
            return ""
        return "" if held.refused else call.owner

    def has_old_data_of(self, serial: str) -> str:
        """The identity that has fetched the data of a call which goes on, and has it still; empty where none has."""
        call, fetched = self.on_disk(serial), self._held[serial].fetched
        return fetched if call is not None and call.state not in ENDED and call.owner == fetched else ""

    def told_unreachable(self, serial: str) -> None:
        """The exchange is about to tell the agent that no service could be reached."""
        held = self._held[serial]
        self._ledger.hold(not held.accepted, f"call {serial} ends as unreachable; a service has accepted it")
        held.too_late = True

    # ------------------------------------------------------------ answers

    def data(self, identity: Identity, serial: str, status: Status) -> None:
        """A DataRequest is answered."""
        if status is Status.OK:
            held = self._held[serial]
            owner = held.identity or f"any for {held.service}"
            self._comes(identity, serial, f"its data goes to {identity.name}, it was offered to {owner} last")
            self._ledger.hold(not self.is_over(serial), f"call {serial}: its data goes to {identity.name}, it is over")
            held.fetched = identity.name
        elif status is Status.UNKNOWN_SERIAL and not self._is_reported(serial):
            self._sent_away(identity, serial, f"{identity.name}, which has it, is told that there is no such call")

    def report(self, identity: Identity, serial: str, status: Status) -> None:
        """A ServiceEvent is answered."""
        if status in KEPT:
            self._comes(identity, serial, f"a report of {identity.name} is kept, whose call it isn't")
        elif status is Status.UNKNOWN_SERIAL:
            why = f"a report of {identity.name}, which has the call, is refused as unknown"
            self._sent_away(identity, serial, why)
        elif status is Status.ALREADY_FINISHED:
            call = self.on_disk(serial)
            over = call is None or call.state in (CallState.REPORTED, CallState.CLOSED)
            self._ledger.hold(over, f"call {serial}: {identity.name} is told that it has ended, which isn't kept")

    def returned(self, serial: str) -> None:
        """A driver tells that the customer is with the agent again."""
        self._held[serial].back = True

    def ended(self, serial: str) -> None:
        """A CallEnded is written."""
        self._ledger.hold(self.is_over(serial), f"call {serial}: CallEnded is written, and its end isn't kept")

    def _comes(self, identity: Identity, serial: str, wrong: str) -> None:
        """An identity comes for a call; ``wrong`` unless it is its own."""
        held = self._held[serial]
        self._ledger.hold(held.is_for(identity), f"call {serial}: {wrong}")
        held.came.add(identity.name)

    def _sent_away(self, identity: Identity, serial: str, wrong: str) -> None:
        """An identity hears that there is no such call; ``wrong`` if it has it and the call goes on."""
        self._ledger.hold(not self._has(identity, serial), f"call {serial}: {wrong}")

    def _has(self, identity: Identity, serial: str) -> bool:
        """Whether this identity has the call, which goes on."""
        held = self._held[serial]
        if held.given_up or self.is_over(serial) or not held.is_for(identity) or self._is_back(serial):
            return False
        return held.identity != _ANY or self._came(serial) <= {identity.name}

    def _came(self, serial: str) -> set[str]:
        """Who came for a call that any may come for: whose report is kept did, though nobody was told so yet."""
        call = self.on_disk(serial)
        kept = set() if call is None or call.owner in ("", ANY_OWNER) else {call.owner}
        return self._held[serial].came | kept

    def _is_back(self, serial: str) -> bool:
        """Whether the customer is with the agent again without the data having been fetched: then nobody gets them.

        That a driver has told so isn't undone, though the service's acceptance, which it follows, may not be kept yet.
        """
        call = self.on_disk(serial)
        if call is None or call.state not in (CallState.CONNECTING, CallState.CONNECTED):
            return False
        return Condition.RETURNED in call.told or self._held[serial].back

    def _is_reported(self, serial: str) -> bool:
        """Whether the result of a call is kept: then nobody gets its data."""
        call = self.on_disk(serial)
        return call is not None and call.state is CallState.REPORTED

    def is_over(self, serial: str) -> bool:
        """Whether the end of a call is kept, or it never was."""
        call = self.on_disk(serial)
        return call is None or call.state is CallState.CLOSED

    def on_disk(self, serial: str) -> Call | None:
        """The call as it is kept; None: it never was, or is forgotten."""
        return self._disk.calls.get(serial)
