"""What a service is told of its calls until it has answered: that they are over, or that their data has changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import define

from ctiex.interfaces import IServiceSession
from ctiex.lots import Lots
from ctiex.messages import CallEnded, Condition, DataChanged, Feature
from ctiex.processing.context import ProcessingContext
from ctiex.processing.uncommitted import Act, SignallingEvent
from ctiex.records import Call, Change


@define(eq=False)
class _Notice:
    """One CallEnded or DataChanged on its way."""

    session: IServiceSession
    of_end: bool
    stale: bool = False
    """Whether the data has changed once more behind it."""


class ServiceNotices:
    """Tells a session of the identity that has the call; the next one that binds where none has answered.

    What is to be told is kept with the call, so that it is told behind a restart too, as long as the record is kept.
    """

    def __init__(self, context: ProcessingContext, happened: Callable[[str, SignallingEvent, Act], None]) -> None:
        """Nothing is to be told.

        :param happened: as :meth:`ctiex.processing.calls.CallTable.happened`: nothing undecided is told.
        """
        self._context = context
        self._store = context.store
        self._happened = happened
        self._owed: dict[str, dict[str, None]] = {}
        """By service identity: the calls of which it is to be told something."""
        self._identity_of: dict[str, str] = {}
        """By serial: under which identity it stands there."""
        self._under_way: dict[str, _Notice] = {}
        """By serial: what a session hasn't answered yet, or what the store hasn't taken its answer to."""
        self._lots = Lots(context.clock)
        context.sessions.watch(self._joined)

    def __len__(self) -> int:
        return len(self._identity_of) + len(self._owed) + len(self._under_way)

    def start(self) -> None:
        """Take up what an opened store still has to tell."""
        for call in self._store.calls():
            if _is_owed(call):
                self._owe(call)

    def stop(self) -> None:
        """Let go of the timers."""
        self._lots.stop()

    def tell(self, call: Call, session: IServiceSession | None) -> None:
        """Have a service hear what a committed call has for it.

        :param session: the one that the call was offered to last.
        """
        self._owe(call)
        before = self._under_way.get(call.serial)
        if before is None or (call.ended_as and not before.of_end):  # an end waits for no answer about the data
            self._try(call, session)
        else:
            before.stale = True

    def forget(self, serial: str) -> None:
        """There is nothing to be told of a call any more."""
        self._under_way.pop(serial, None)
        identity = self._identity_of.pop(serial, None)
        if identity is not None:
            owed = self._owed[identity]
            del owed[serial]
            if not owed:
                del self._owed[identity]

    def _owe(self, call: Call) -> None:
        if self._identity_of.get(call.serial, call.owner) != call.owner:
            self.forget(call.serial)  # it was another's before
        self._identity_of[call.serial] = call.owner
        self._owed.setdefault(call.owner, {})[call.serial] = None

    def _joined(self, session: IServiceSession) -> None:
        what, act = SignallingEvent.MAY_BE_TOLD, partial(self._try_again, session)
        self._lots.do([partial(self._happened, serial, what, act) for serial in self._owed.get(session.identity, ())])

    def _try_again(self, session: IServiceSession, call: Call, failed: Callable[[], None]) -> None:
        if not _is_owed(call):
            self.forget(call.serial)
        elif call.owner == session.identity and call.serial not in self._under_way:
            self._try(call, session)

    def _try(self, call: Call, first: IServiceSession | None) -> None:
        self._under_way.pop(call.serial, None)
        chosen = self._session_for(call, first)
        if chosen is not None:
            ended = bool(call.ended_as)
            notice = self._under_way[call.serial] = _Notice(chosen, ended)
            message = CallEnded(call.serial, Condition(call.ended_as)) if ended else DataChanged(call.serial)
            chosen.tell(message, partial(self._answered, call.serial, notice))

    def _session_for(self, call: Call, first: IServiceSession | None) -> IServiceSession | None:
        """The session that is to hear it: the one that the call is with, else another of its identity.

        The last one that was bound comes first then: of those before any may be dead, and it isn't noticed yet.
        """

        def takes(session: IServiceSession) -> bool:
            return session.bound and bool(call.ended_as or Feature.UPDATES in session.features)

        if first is not None and takes(first):
            return first
        return next(filter(takes, reversed(self._context.sessions.of_identity(call.owner))), None)

    def _answered(self, serial: str, notice: _Notice, heard: bool) -> None:
        """:param heard: whether it has answered, by whatever; else its link has ended."""
        if self._under_way.get(serial) is notice:
            act = partial(self._heard if heard else self._unheard, notice)
            self._happened(serial, SignallingEvent.TOLD, act)

    def _heard(self, notice: _Notice, call: Call, failed: Callable[[], None]) -> None:
        """Keep that there is nothing more to tell; what is told twice does no harm."""
        if self._under_way.get(call.serial) is not notice:
            return
        if not _is_owed(call):
            self.forget(call.serial)
        elif notice.stale or notice.of_end != bool(call.ended_as):
            self._try(call, notice.session)
        else:
            told = Change(calls=(call.but(ended_as=0, changed=False),))
            self._context.commits.commit(told, partial(self._told, call.serial, notice), failed)

    def _told(self, serial: str, notice: _Notice) -> None:
        if self._under_way.get(serial) is notice:
            self.forget(serial)

    def _unheard(self, notice: _Notice, call: Call, failed: Callable[[], None]) -> None:
        if self._under_way.get(call.serial) is not notice:
            return
        if _is_owed(call):
            self._try(call, None)
        else:
            self.forget(call.serial)


def _is_owed(call: Call) -> bool:
    """Whether its service is still to be told something of a call."""
    return bool(call.ended_as or call.changed)
