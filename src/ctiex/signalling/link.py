"""Signalling over the IVR link: the Connection is pushed over a bound session of the service.

One session at a time, the next one in turn. If it dies or refuses before it accepts, another
one is tried; each is tried once for a call. Where none is left, one that binds within the grace of the service is
tried as well. The processing service keeps the time-out.
"""

from __future__ import annotations

from functools import partial

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.errors import Status
from ctiex.interfaces import (
    BaseSignalling,
    BaseSignallingPlugin,
    IServiceSession,
    IServiceSessions,
    ISignalling,
    ISignallingListener,
    ISignallingPlugin,
    Offer,
    SignallingContext,
)
from ctiex.lots import Lots

_SETTLE = 0.5
"""How long after a restart the first session waits for others, that each may get its share, in seconds."""


@define
class _Attempt:
    """One call on its way to a session that accepts it."""

    offer: Offer
    tried: list[IServiceSession] = field(factory=list)
    met: Status = Status.SERVICE_UNREACHABLE
    giving_up: IDelayedCall | None = None
    """While it waits for a session that isn't bound yet."""


@implementer(ISignalling)
class LinkSignalling(BaseSignalling):
    """Spreads calls over the bound sessions of their services."""

    def __init__(self, listener: ISignallingListener, sessions: IServiceSessions, clock: IReactorTime) -> None:
        self._listener = listener
        self._sessions = sessions
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}
        self._waiting: dict[str, _Attempt] = {}
        """Those offered again after a restart for which no session was there yet, or had room."""
        self._without_session: dict[str, dict[str, _Attempt]] = {}
        """By service: those that have been offered to every session, and wait a moment for one that binds."""
        self._spreading: IDelayedCall | None = None
        self._lots = Lots(clock)
        sessions.watch(self._joined)

    def offer(self, offer: Offer) -> None:
        """Push the Connection to the session whose turn it is."""
        attempt = self._attempts[offer.serial] = _Attempt(offer)
        self._try_next(attempt)

    def withdraw(self, serial: str) -> int:
        """Forget the call; an answer that comes later does nothing."""
        attempt = self._attempts.pop(serial, None)
        self._waiting.pop(serial, None)
        if attempt is not None:
            self._wait_no_more(attempt)
        if not self._waiting:
            self._stop_spreading()
        return Status.SERVICE_UNREACHABLE if attempt is None else attempt.met

    def stop(self) -> None:
        """Let go of the timers."""
        for attempts in list(self._without_session.values()):
            for attempt in list(attempts.values()):
                self._wait_no_more(attempt)
        self._waiting.clear()
        self._stop_spreading()
        self._lots.stop()

    def _try_next(self, attempt: _Attempt) -> None:
        offer = attempt.offer
        session = self._untried(attempt)
        if session is not None:
            self._offer_to(attempt, session)
        elif offer.resumed and not attempt.tried:
            self._waiting[offer.serial] = attempt
        elif offer.grace:
            attempt.giving_up = self._clock.callLater(offer.grace, self._give_up, attempt)
            self._without_session.setdefault(offer.service, {})[offer.serial] = attempt
        else:
            self._give_up(attempt)

    def _untried(self, attempt: _Attempt) -> IServiceSession | None:
        """The next session that it wasn't offered to."""
        sessions = self._sessions.for_service(attempt.offer.service)
        return next((session for session in sessions if session not in attempt.tried), None)

    def _offer_to(self, attempt: _Attempt, session: IServiceSession) -> None:
        attempt.tried.append(session)
        self._listener.offered(attempt.offer.serial, session, lambda: self._write(attempt, session))

    def _give_up(self, attempt: _Attempt) -> None:
        attempt.giving_up = None
        self._wait_no_more(attempt)
        del self._attempts[attempt.offer.serial]
        self._listener.unreachable(attempt.offer.serial, attempt.met)

    def _waits(self, attempt: _Attempt) -> bool:
        """Whether it waits for a session that is to bind."""
        return self._without_session.get(attempt.offer.service, {}).get(attempt.offer.serial) is attempt

    def _wait_no_more(self, attempt: _Attempt) -> None:
        """One has bound, or the time for that or the call itself is over."""
        if self._waits(attempt):
            waiting = self._without_session[attempt.offer.service]
            del waiting[attempt.offer.serial]
            if not waiting:
                del self._without_session[attempt.offer.service]
        if attempt.giving_up is not None:
            attempt.giving_up.cancel()
            attempt.giving_up = None

    def _write(self, attempt: _Attempt, session: IServiceSession) -> None:
        """The session's ownership of the call is committed."""
        if self._is_with(attempt, session):
            offer = attempt.offer
            attempt.met = Status.TIMED_OUT  # until it answers
            session.connect(offer.connection, lambda status: self._answered(attempt, session, status), offer.deadline)

    def _is_with(self, attempt: _Attempt, session: IServiceSession) -> bool:
        return self._attempts.get(attempt.offer.serial) is attempt and attempt.tried[-1] is session

    def _answered(self, attempt: _Attempt, session: IServiceSession, status: int | None) -> None:
        self._try_one()  # there is room for one
        serial = attempt.offer.serial
        if not self._is_with(attempt, session):
            return
        if status == Status.OK:
            del self._attempts[serial]
            self._listener.accepted(serial)
            return
        self._listener.refused(serial, session, status)
        attempt.met = Status.TIMED_OUT if status is None else Status.SERVICE_REFUSED
        self._try_next(attempt)

    def _joined(self, session: IServiceSession) -> None:
        for service, attempts in list(self._without_session.items()):
            if session in self._sessions.for_service(service):
                self._lots.do([partial(self._try_joined, attempt) for attempt in attempts.values()])
        if self._spreading is None and self._waiting:
            self._spreading = self._clock.callLater(_SETTLE, self._spread)

    def _try_joined(self, attempt: _Attempt) -> None:
        session = self._untried(attempt) if self._waits(attempt) else None
        if session is not None:
            self._wait_no_more(attempt)  # before it is offered: it may be refused at once, and wait anew
            self._offer_to(attempt, session)

    def _stop_spreading(self) -> None:
        if self._spreading is not None:
            self._spreading.cancel()
            self._spreading = None

    def _spread(self) -> None:
        self._spreading = None
        waiting, self._waiting = self._waiting, {}
        self._lots.do(partial(self._try_waiting, attempt) for attempt in waiting.values())

    def _try_one(self) -> None:
        if self._waiting and self._spreading is None:
            self._try_next(self._waiting.pop(next(iter(self._waiting))))

    def _try_waiting(self, attempt: _Attempt) -> None:
        if self._attempts.get(attempt.offer.serial) is attempt:  # not withdrawn meanwhile
            self._try_next(attempt)


@implementer(IPlugin, ISignallingPlugin)
class LinkSignallingPlugin(BaseSignallingPlugin):
    """``signalling = "link"``."""

    name = "link"

    def build(self, context: SignallingContext) -> ISignalling:
        """The driver."""
        return LinkSignalling(context.listener, context.sessions, context.reactor)
