"""What services are to hear of their calls, whichever of their sessions it comes over: ends, and changes of data."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from ctiex.messages import CallEnded, DataChanged
from ctiex.processing.states import ENDED
from ctiex.records import CallState
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.ledger import Ledger
from ctiex.testing.simulation.network import End
from ctiex.testing.simulation.store import Disk

_LOOK_EVERY = 1.0
_WITHIN = 36.0
"""How long a service that is bound over a sound connection may go without hearing, in seconds.

A session that doesn't answer is given up after a heartbeat of ten seconds; then another one is told, and there may be
three that are dead without anybody's knowledge.
"""

Notice = type[CallEnded] | type[DataChanged]


@define(eq=False)
class _Owed:
    """Something that an identity is to hear of a call."""

    since: float
    session: Any = None
    """One that could have brought it for a while."""
    sound_since: float = 0.0


@define(eq=False)
class Notices:
    """What is owed to services, as long as the exchange keeps the call's record."""

    _clock: WorldClock
    _ledger: Ledger
    _disk: Disk
    _exchange: MemoryExchange | None = None
    """The one that runs."""
    _bound_at: dict[Any, float] = field(factory=dict)
    """Since when each of its sessions is bound."""
    _owed: dict[tuple[Notice, str, str], _Owed] = field(factory=dict)

    def begin(self, exchange: MemoryExchange) -> None:
        """An exchange runs."""
        self._exchange = exchange
        exchange.sessions.watch(lambda session: self._bound_at.update({session: self._clock.now}))

    def end(self) -> None:
        """It runs no more."""
        self._exchange = None
        self._bound_at.clear()

    def owe(self, what: Notice, serial: str, identity: str) -> None:
        """An identity is to hear this of a call from now on."""
        if not self._owed:
            self._clock.network.callLater(_LOOK_EVERY, self._look)
        self._ledger.counts["promises checked"] += 1
        self._ledger.counts[f"owed to services: {what.__name__}"] += 1
        self._owed[what, serial, identity] = _Owed(self._clock.now)

    def heard(self, what: Notice, serial: str, identity: str) -> None:
        """A process of an identity has heard it."""
        self._owed.pop((what, serial, identity), None)

    def lost(self, since: float) -> None:
        """The store has lost what was kept since then."""
        self._owed = {key: owed for key, owed in self._owed.items() if owed.since <= since}

    def _look(self) -> None:
        for key, owed in list(self._owed.items()):
            if self._is_over(*key):
                del self._owed[key]
            else:
                self._look_at(*key, owed)
        if self._owed:
            self._clock.network.callLater(_LOOK_EVERY, self._look)

    def _look_at(self, what: Notice, serial: str, identity: str, owed: _Owed) -> None:
        sound = self._sound(identity, owed.since if what is CallEnded else 0.0)
        if owed.session not in sound:
            owed.session, owed.sound_since = next(iter(sound), None), self._clock.now
        elif self._clock.now - owed.sound_since - self._clock.paused_since(owed.sound_since) > _WITHIN:
            self._ledger.break_(
                f"call {serial}: {identity} is bound, and hasn't heard {what.__name__} since {owed.since:.3f}"
            )

    def _is_over(self, what: Notice, serial: str, identity: str) -> bool:
        """Whether nobody has to hear it any more."""
        call = self._disk.calls.get(serial)
        if call is None:
            return True
        if what is CallEnded:
            return call.state is not CallState.CLOSED
        return call.state in ENDED or call.owner != identity

    def _sound(self, identity: str, since: float) -> list[Any]:
        """The sessions of an identity of which one has to bring it: their connections carry now what is written.

        :param since: who was bound before may be left out, where it was told to one that can't hear it.
        """
        if self._exchange is None:
            return []
        sessions = self._exchange.sessions.of_identity(identity)
        sound = [one for one in sessions if self._carries(one.transport)]  # type: ignore[attr-defined]
        return sound if len(sound) == len(sessions) else [one for one in sound if self._bound_at[one] > since]

    def _carries(self, end: End) -> bool:
        return all(
            one.process.alive and not (one.severed or one.gone) and one.stalled_until <= self._clock.now
            for one in (end, end.peer)
        )
