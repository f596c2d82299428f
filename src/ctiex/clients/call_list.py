"""The calls of one agent number that go on, and what was told of them last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from weakref import WeakValueDictionary

from ctiex.call_messages import CallChange, CallControlReply, CallEvent, Snapshot
from ctiex.clients.call import ClientCall

SHOWN = 0
"""As the ``event`` of a CallEvent that the client made of a snapshot: nothing is known to have happened but that."""
MOST_REMEMBERED = 1_000
"""How many events are kept for those who wait for one that has come already."""


class CallList:
    """By id, the oldest first."""

    def __init__(
        self, make_call: Callable[[str], ClientCall], tell: Callable[[ClientCall, CallEvent], None]
    ) -> None:  # fmt: skip
        """There are none.

        :param tell: hears of each call what has happened, and how it stands now.
        """
        self._make_call = make_call
        self._tell = tell
        self.told = 0
        """How many events have come."""
        self._calls: dict[str, ClientCall] = {}
        self._known: WeakValueDictionary[str, ClientCall] = WeakValueDictionary()
        """Those that are over, too: an agent who gets a call back gets the same object."""
        self._begun: dict[str, ClientCall] = {}
        """Calls that an action has brought about on this link, of which no event has come."""
        self._events: deque[CallEvent] = deque(maxlen=MOST_REMEMBERED)

    def __iter__(self) -> Iterator[ClientCall]:
        return iter(list(self._calls.values()))

    def get(self, id: str) -> ClientCall | None:
        """The call with this id, if it goes on."""
        return self._calls.get(id)

    def events_since(self, count: int) -> Sequence[CallEvent]:
        """The events behind so many, of those that are kept."""
        return list(self._events)[max(0, len(self._events) - (self.told - count)) :]

    def clear(self) -> None:
        """Nothing is known any more."""
        self._calls.clear()
        self._begun.clear()

    def another_link(self) -> None:
        """What was begun on the link before is in the next snapshot, or has come to nothing."""
        self._begun.clear()

    # ------------------------------------------------------------ what comes

    def begin(self, reply: CallControlReply, related: str = "") -> ClientCall:
        """An action has brought a call about; its first event comes behind this."""
        call = self._calls.get(reply.call)
        if call is None:
            call = self._begun[reply.call] = self._object(reply.call)
            call.serial, call.related = reply.serial, related
            self._put(call, here=True)
        return call

    def happened(self, event: CallEvent) -> None:
        """Something has happened to a call. It is over for an agent who isn't a party of it any more."""
        call = self._calls.get(event.call) or self._object(event.call)
        call.takes(event)
        # One that was to be made, and has failed, may have no party any more: that it is cleared is told next.
        comes_to_nothing = event.event == CallChange.FAILED and not event.parties and event.call in self._calls
        here = call.party is not None or comes_to_nothing
        self._begun.pop(event.call, None)
        self._put(call, here and event.event != CallChange.CLEARED)
        self._told(call, event)

    def replace(self, pages: Sequence[Snapshot], time: int) -> None:
        """What was known is replaced: calls that are gone are told as cleared, those that have changed as shown."""
        ids = {page.call for page in pages} | set(self._begun)
        for call in self:
            if call.id not in ids:
                self._put(call, here=False)
                self._told(call, call.as_event(CallChange.CLEARED, time))
        for page in pages:
            call, new = self._calls.get(page.call) or self._object(page.call), page.call not in self._calls
            if call.takes(page) or new:
                self._put(call, here=True)
                self._told(call, call.as_event(SHOWN, time))

    # ------------------------------------------------------------ what it comes to

    def _object(self, id: str) -> ClientCall:
        known = self._known.get(id)
        if known is None:
            known = self._known[id] = self._make_call(id)
        return known

    def _put(self, call: ClientCall, here: bool) -> None:
        call.over = not here
        if here:
            self._calls[call.id] = call
        else:
            self._calls.pop(call.id, None)

    def _told(self, call: ClientCall, event: CallEvent) -> None:
        self._events.append(event)
        self.told += 1
        self._tell(call, event)
