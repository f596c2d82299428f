"""Secrets that wait to be hashed: one at a time, beside the reactor, and the sources in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ctiex.errors import CheckBusy

InThread = Callable[[Callable[[], bool]], "Deferred[bool]"]
"""Runs something slow beside the reactor."""
Wanted = Callable[[], bool]
"""Whether somebody still wants to know."""

_BUSY = "too many secrets are being checked"


@define(eq=False)
class _Hashing:
    """One hashing, and everyone who waits for its outcome, by source."""

    key: bytes = field(repr=False)
    work: Callable[[], bool]
    waiting: dict[str, dict[Deferred[bool], Wanted]] = field(factory=dict)
    started: bool = False

    def wanted(self) -> bool:
        """Whether anyone still wants to know."""
        return any(wanted() for waiters in self.waiting.values() for wanted in waiters.values())

    def tell(self, outcome: bool | Failure, source: str | None = None) -> None:
        """Tell those who wait, or those of one source."""
        sources = list(self.waiting) if source is None else [source]
        told = [answer for each in sources for answer in self.waiting.pop(each)]
        for answer in told:
            if not answer.called:  # a callback called before may have cancelled it
                answer.callback(outcome)


@define(eq=False)
class HashingQueue:
    """Hashes one secret at a time. Each source has a queue of its own, and they are served in turn.

    So a flood of guesses makes its own source wait, and another source's Bind waits for one hashing of
    each source at most. Checks of the same secret at the same time share one hashing.
    """

    _in_thread: InThread
    per_source: int = 64
    """Secrets of one source that may wait."""
    most: int = 512
    """Secrets that may wait in all; beyond it the source with the most of them loses its last one."""
    _hashings: dict[bytes, _Hashing] = field(factory=dict, init=False, repr=False)
    _queues: OrderedDict[str, deque[_Hashing]] = field(factory=OrderedDict, init=False, repr=False)
    _running: bool = field(default=False, init=False)
    _serving: bool = field(default=False, init=False)

    def verify(self, key: bytes, source: str, work: Callable[[], bool], wanted: Wanted) -> Deferred[bool]:
        """What ``work`` finds, in its turn. Cancelling the Deferred gives the wait up.

        It fails with CheckBusy when the source has to give way, or when the answer isn't wanted any more.

        :param key: checks of the same key share one hashing.
        :param wanted: asked before the work begins.
        :raise CheckBusy: so much waits that this can't.
        """
        hashing = self._hashings.get(key)
        if hashing is None or not (hashing.started or source in hashing.waiting):
            self._make_room(source, new=hashing is None)
        if hashing is None:
            hashing = self._hashings[key] = _Hashing(key, work)
        answer: Deferred[bool] = Deferred(lambda waiter: self._give_up(hashing, source, waiter))
        if source not in hashing.waiting and not hashing.started:
            self._queues.setdefault(source, deque()).append(hashing)
        hashing.waiting.setdefault(source, {})[answer] = wanted
        self._serve()
        return answer

    # ------------------------------------------------------------ room

    def _make_room(self, source: str, new: bool) -> None:
        own = len(self._queues.get(source, ()))
        if own >= self.per_source:
            raise CheckBusy(_BUSY)
        if not new or len(self._hashings) < self.most:
            return
        longest = max(self._queues, key=lambda each: len(self._queues[each]), default=source)
        if len(self._queues.get(longest, ())) <= own + 1:
            raise CheckBusy(_BUSY)
        hashing = self._queues[longest][-1]
        self._leave_queue(hashing, longest)
        hashing.tell(Failure(CheckBusy(_BUSY)), longest)
        self._drop_if_unwaited(hashing)

    def _give_up(self, hashing: _Hashing, source: str, waiter: Deferred[bool]) -> None:
        """Remove a waiting request; a hashing that has no other and hasn't begun is dropped."""
        waiters = hashing.waiting.get(source, {})
        if waiters.pop(waiter, None) is None or waiters:
            return
        del hashing.waiting[source]
        if not hashing.started:
            self._leave_queue(hashing, source)
            self._drop_if_unwaited(hashing)

    def _leave_queue(self, hashing: _Hashing, source: str) -> None:
        queue = self._queues[source]
        queue.remove(hashing)
        if not queue:
            del self._queues[source]

    def _drop_if_unwaited(self, hashing: _Hashing) -> None:
        if not hashing.waiting:
            del self._hashings[hashing.key]

    # ------------------------------------------------------------ work

    def _serve(self) -> None:
        """Begin with the next one. A loop, since work may be done as soon as it is begun."""
        if self._serving:
            return
        self._serving = True
        try:
            while self._queues and not self._running:
                self._begin(self._next())
        finally:
            self._serving = False

    def _next(self) -> _Hashing:
        """The first hashing of the source whose turn it is."""
        source = next(iter(self._queues))
        hashing = self._queues[source][0]
        self._queues.move_to_end(source)
        for each in hashing.waiting:
            self._leave_queue(hashing, each)
        return hashing

    def _begin(self, hashing: _Hashing) -> None:
        if not hashing.wanted():
            del self._hashings[hashing.key]
            hashing.tell(Failure(CheckBusy(_BUSY)))
            return
        hashing.started = self._running = True
        self._in_thread(hashing.work).addBoth(self._done, hashing)

    def _done(self, outcome: bool | Failure, hashing: _Hashing) -> None:
        self._running = False
        del self._hashings[hashing.key]
        hashing.tell(outcome)
        self._serve()
