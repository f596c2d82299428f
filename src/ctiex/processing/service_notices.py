"""What a service is told of its calls until it has answered: that they are over, or that their data has changed."""

from __future__ import annotations

from collections.abc import Container
from functools import partial

from attrs import define

from ctiex.interfaces import IServiceSession
from ctiex.lots import Lots
from ctiex.messages import CallEnded, Condition, DataChanged, Feature
from ctiex.processing.context import ProcessingContext
from ctiex.records import Call, Change


@define(eq=False)
class _Notice:
    """What one session was told of a call, and hasn't answered yet."""

    data: bytes | None
    """The data that was changed; None: that the call is over."""


class ServiceNotices:
    """Tells a session of the identity that has the call; the next one that binds where none has answered.

    What is to be told is kept with the call, so that it is told behind a restart too, as long as the record is kept.
    """

    def __init__(self, context: ProcessingContext, undecided: Container[str]) -> None:
        """:param undecided: calls of which something is on its way to the store: nothing is told of that before."""
        self._context = context
        self._store = context.store
        self._undecided = undecided
        self._owed: dict[str, dict[str, None]] = {}
        """By service identity: the calls of which it is to be told something."""
        self._under_way: dict[str, _Notice] = {}
        """By serial: what was told last, while it isn't answered."""
        self._put_off: dict[str, IServiceSession | None] = {}
        """By serial: the session that comes first, once it is known what has become of the call."""
        self._silent: dict[str, list[IServiceSession]] = {}
        """By serial: the sessions that were told of it, and didn't answer."""
        self._lots = Lots(context.clock)
        context.sessions.watch(self._joined)

    def start(self) -> None:
        """Take up what an opened store still has to tell."""
        for call in self._store.calls():
            if call.ended_as or call.changed:
                self._owed.setdefault(call.owner, {})[call.serial] = None

    def stop(self) -> None:
        """Let go of the timers."""
        self._lots.stop()

    def tell(self, call: Call, session: IServiceSession | None) -> None:
        """Have a service hear what a committed call has for it.

        :param session: the one that the call was offered to last.
        """
        self._owed.setdefault(call.owner, {})[call.serial] = None
        self._silent.pop(call.serial, None)
        self._try(call, session)

    def decided(self, serial: str) -> None:
        """It is known what has become of a call."""
        if serial in self._put_off:
            self._try_again(serial, self._put_off.pop(serial))

    def forget(self, call: Call) -> None:
        """The record is gone, or the call another identity's: its service is to be told nothing of it any more."""
        self._silent.pop(call.serial, None)
        self._put_off.pop(call.serial, None)
        self._owed.get(call.owner, {}).pop(call.serial, None)
        self._under_way.pop(call.serial, None)

    def _joined(self, session: IServiceSession) -> None:
        owed = self._owed.get(session.identity)
        if owed:
            self._lots.do([partial(self._try_again, serial, session) for serial in owed])

    def _try_again(self, serial: str, session: IServiceSession | None) -> None:
        call = self._store.get(serial)
        if call is not None and (call.ended_as or call.changed):
            self._try(call, session)

    def _try(self, call: Call, session: IServiceSession | None) -> None:
        """One at a time; the end of a call waits for no answer about its data."""
        serial = call.serial
        if serial in self._undecided:
            self._put_off[serial] = session
            return
        chosen, before = self._session_for(call, session), self._under_way.get(serial)
        if chosen is None or (before is not None and (before.data is None or not call.ended_as)):
            return
        notice = self._under_way[serial] = _Notice(None if call.ended_as else call.data)
        message = CallEnded(serial, Condition(call.ended_as)) if call.ended_as else DataChanged(serial)
        chosen.tell(message, partial(self._answered, serial, notice, chosen))

    def _session_for(self, call: Call, first: IServiceSession | None) -> IServiceSession | None:
        """The session that is to hear it: the one that the call is with, else another of its identity."""
        candidates = [] if first is None or first.identity != call.owner else [first]
        candidates += self._context.sessions.of_identity(call.owner)
        silent = self._silent.get(call.serial, ())
        for session in candidates:
            takes = session.bound and (call.ended_as or Feature.UPDATES in session.features)
            if takes and session not in silent:
                return session
        return None

    def _answered(self, serial: str, notice: _Notice, session: IServiceSession, heard: bool) -> None:
        """:param heard: whether it has answered, by whatever; else its link has ended, or it was silent."""
        if self._under_way.get(serial) is not notice:
            return  # something else was told since
        del self._under_way[serial]
        call = self._store.get(serial)
        if call is None or not (call.ended_as or call.changed):
            return
        if not heard:
            self._silent.setdefault(serial, []).append(session)
            self._try(call, None)
        elif notice.data is not None and (call.ended_as or notice.data != call.data or serial in self._undecided):
            self._try(call, session)  # what it was told of has changed again meanwhile, or may have
        else:
            self._told(call)

    def _told(self, call: Call) -> None:
        """Keep that there is nothing more to tell; what is told twice does no harm."""
        self._silent.pop(call.serial, None)
        self._owed.get(call.owner, {}).pop(call.serial, None)
        self._context.commits.commit(
            Change(calls=(call.but(ended_as=0, changed=False),)),
            failed=lambda: self._context.commits.again(f"told {call.serial}", partial(self._told_again, call.serial)),
        )

    def _told_again(self, serial: str) -> None:
        call = self._store.get(serial)
        if call is not None and (call.ended_as or call.changed):
            self._told(call)
