"""Finds the call of a serial: in memory, or where a store looks further."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, fail

from ctiex.processing.calls import CallTable
from ctiex.processing.commits import guarded
from ctiex.processing.context import ProcessingContext
from ctiex.records import Call


class CallLookUp:
    """Finds calls as they stand once they are decided."""

    def __init__(self, context: ProcessingContext, calls: CallTable) -> None:
        self._store = context.store
        self._commits = context.commits
        self._calls = calls
        self._waiting: dict[str, list[tuple[Callable[[Call | None], None], Callable[[], None]]]] = {}
        """By serial, those who wait until it is known what has become of a call."""

    def call(self, serial: str, found: Callable[[Call | None], None], failed: Callable[[], None]) -> None:
        """Go on with the call of a serial: at once when it is in memory, else once the store has looked further.

        Nothing undecided is reported, such as its end: its commit may fail.
        """
        if serial in self._waiting:
            self._waiting[serial].append((found, failed))
        elif serial in self._calls.undecided:
            self._waiting[serial] = [(found, failed)]
            self._commits.settled(partial(self._settled, serial), partial(self._not_settled, serial))
        else:
            self._look_up_now(serial, found, failed)

    def _settled(self, serial: str) -> None:
        """In the order in which they were asked: what the first one does may be undecided again."""
        for found, failed in self._waiting.pop(serial):
            guarded(partial(self.call, serial, found, failed))

    def _not_settled(self, serial: str) -> None:
        if serial not in self._calls.undecided:
            self._settled(serial)
            return
        for _, failed in self._waiting.pop(serial):
            guarded(failed)

    def _look_up_now(self, serial: str, found: Callable[[Call | None], None], failed: Callable[[], None]) -> None:
        call = self._store.get(serial) if serial else None
        waiting: Deferred[Call | None] | None = None
        if serial and call is None:
            try:
                waiting = self._store.fetch(serial)
            except Exception:  # a store's fault must not become that of the link that asks
                waiting = fail()
        if waiting is None:
            found(call)
        else:
            self._commits.heard(waiting, partial(self._looked_up, serial, found, failed), failed)

    def _looked_up(
        self, serial: str, found: Callable[[Call | None], None], failed: Callable[[], None], call: Call | None
    ) -> None:
        """Somebody else may have found it first, and gone on with it: memory says how it stands now."""
        if serial in self._calls.undecided or self._store.get(serial) is not None:
            self.call(serial, found, failed)
        else:
            found(call)
