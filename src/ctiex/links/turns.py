"""Whose turn it is: each party has its share of a turn of the reactor and of a second, however many links it has.

A party is an identity with all of its bound links, or, before anybody is bound, a source with all of its links. Limits
on one link alone don't limit a peer that may open thousands of them: so what is handled for a party is counted over all
of its links. One that has used up its share waits, with every link of it, until all others have had theirs; no frame is
refused for it, its links are merely read later. A read costs two subtractions, and nothing is called for a frame.

Nothing here knows of sockets; time is passed in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ctiex.links.rate_limit import FRAME, Work
from ctiex.monitoring.observer import NO_OBSERVERS, Observer

SHARE = 128 * FRAME
"""Pieces of work that are done for one party in a turn of the reactor: some 2 ms, or 10 of requests that cost most."""
_PARTIES = 2
"""So many parties that wait have their share in one turn of the reactor; the others in the next ones, in order."""
_BURST = 1.0
"""For how long a party may save up what it doesn't use of its rate, in seconds."""
_REMEMBERED = 1_024
"""Parties without a link that are remembered: who comes back at once finds what is left of its share."""


class Waiting(Protocol):
    """A link with frames that wait."""

    def go_on(self) -> None:
        """Its turn has come."""


Rate = Callable[[], float]
"""How many frames of a party may be handled in a second, now; more of them wait."""


def _any_number() -> float:
    return inf


@define(eq=False)
class Share(Work):
    """One party's."""

    turns: Turns = field(kw_only=True, repr=False)
    rate: Rate = field(kw_only=True)
    links: int = field(default=0, init=False)
    """How many links have a part in it."""
    waiting: OrderedDict[Waiting, None] = field(factory=OrderedDict, init=False, repr=False)
    """The links whose frames wait, in the order in which they have their turn."""
    due: IDelayedCall | None = field(default=None, init=False, repr=False)
    """When it goes on, while it has used up its rate."""
    queued: bool = field(default=False, init=False)
    """Whether it waits for its turn."""
    _given: int = field(default=0, init=False)
    """What was there when its turn began, or when it was settled last."""
    _used_until: float = field(default=-inf, init=False)
    """The moment up to which its rate is used up, in clock seconds."""

    def __attrs_post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """A new turn begins: all of the share is there, and less where a second has less than that."""
        self.left = self._given = int(min(SHARE, max(1.0, self.rate()) * FRAME))

    def wait(self, link: Waiting) -> None:
        """The link has frames that wait; it goes on when its turn has come."""
        if link not in self.waiting:
            self.waiting[link] = None
            self.turns.wait(self)

    def leave(self, link: Waiting) -> None:
        """The link is gone, or waits elsewhere."""
        if self.waiting.pop(link, self) is None and not self.waiting:
            self.turns.wait_no_more(self)

    def settle(self, now: float) -> float:
        """Take what was handled in its turn off the rate; for how many seconds nothing more may be, 0 if it goes on."""
        cost = (self._given - self.left) / FRAME / self.rate()
        self._given = self.left
        begun = max(self._used_until, now - _BURST)
        if begun > now + _BURST + cost:  # the clock was put back
            begun = now
        self._used_until = begun + cost
        return max(0.0, self._used_until - now)

    def go_on(self) -> None:
        """Let the links that wait have their turn, each once, as far as the share goes."""
        for _ in range(len(self.waiting)):
            if self.left <= 0 or not self.waiting:
                return
            link, _ = self.waiting.popitem(last=False)
            link.go_on()


@define(eq=False)
class Turns:
    """Knows the parties, and gives those that wait their turns, one after the other."""

    _clock: IReactorTime
    _observer: Observer = NO_OBSERVERS
    _rate: Rate = _any_number
    """Of each party; as much as it likes unless given."""
    _shares: dict[tuple[str, str], Share] = field(factory=dict, init=False)
    _without_links: OrderedDict[tuple[str, str], Share] = field(factory=OrderedDict, init=False)
    _waiting: deque[Share] = field(factory=deque, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)

    def alone(self) -> Share:
        """A share that no other link has a part in."""
        return Share(turns=self, rate=self._rate)

    def enter(self, party: tuple[str, str]) -> Share:
        """One more link of a party, which is ``identity`` and its name; its share."""
        share = self._shares.get(party)
        if share is None:
            share = self._without_links.pop(party, None) or self.alone()
            self._shares[party] = share
        share.links += 1
        return share

    def leave(self, party: tuple[str, str]) -> None:
        """One of them is gone."""
        share = self._shares[party]
        share.links -= 1
        if not share.links:
            self._without_links[party] = self._shares.pop(party)
            if len(self._without_links) > _REMEMBERED:
                self._without_links.popitem(last=False)

    # ------------------------------------------------------------ turns

    def wait(self, share: Share) -> None:
        """Some link of this share waits."""
        if share.due is None and not share.queued:
            share.queued = True
            self._waiting.append(share)
            self._wake()

    def wait_no_more(self, share: Share) -> None:
        """No link of it waits any more."""
        if share.due is not None:
            share.due.cancel()
            share.due = None
        if share.queued:
            share.queued = False
            self._waiting.remove(share)
        if not self._waiting and self._next is not None:
            self._next.cancel()
            self._next = None

    def _wake(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        """Some of those that wait have their turn now."""
        self._next = None
        for _ in range(min(_PARTIES, len(self._waiting))):
            if self._waiting:  # a link that is ended takes others with it
                share = self._waiting.popleft()
                share.queued = False
                self._take_turn(share)
        if self._waiting:
            self._wake()

    def _take_turn(self, share: Share) -> None:
        if share.left <= 0:
            self._observer.turn_used_up()
        pause = share.settle(self._clock.seconds())
        if pause:
            self._observer.rate_used_up()
            share.due = self._clock.callLater(pause, self._resume, share)
            return
        share.renew()
        try:
            share.go_on()
        finally:
            if share.waiting:
                self.wait(share)

    def _resume(self, share: Share) -> None:
        share.due = None
        self.wait(share)
