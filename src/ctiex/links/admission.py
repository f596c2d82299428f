"""How many links there may be: for each identity, for each source address, and not bound yet."""

from __future__ import annotations

from enum import Enum

from attrs import define, field

_EVERYONE = ""
"""The key that all links together are counted under."""


@define
class LinkCounter:
    """How many links there are of each key (an identity, a source), and how many there may be of one."""

    most: int = 4_096
    _held: dict[str, int] = field(factory=dict, init=False)

    def __len__(self) -> int:
        """How many keys have a link."""
        return len(self._held)

    def held(self, key: str) -> int:
        """How many links this key has."""
        return self._held.get(key, 0)

    def full(self, key: str) -> bool:
        """Whether this key has as many links as it may have."""
        return self.held(key) >= self.most

    def take(self, key: str) -> bool:
        """Count one more; False when the key has as many as it may have."""
        if self.full(key):
            return False
        self._held[key] = self.held(key) + 1
        return True

    def give_back(self, key: str) -> None:
        """One of them is gone."""
        left = self._held[key] - 1
        if left:
            self._held[key] = left
        else:
            del self._held[key]


class Crowded(Enum):
    """Why a connection is turned away; the text is for the log."""

    SOURCE = "this source has as many links as it may have"
    UNBOUND_SOURCE = "this source has as many links without a Bind as it may have"
    UNBOUND = "there are as many links without a Bind as there may be"


@define
class Admission:
    """The counts of all links of an exchange, on both of its listening ports together.

    A link is admitted when it opens, then maybe bound, and given back when it ends.
    """

    per_identity: LinkCounter = field(factory=LinkCounter)
    per_source: LinkCounter = field(factory=LinkCounter)
    unbound_per_source: LinkCounter = field(factory=lambda: LinkCounter(256))
    unbound: LinkCounter = field(factory=lambda: LinkCounter(10_000))

    @classmethod
    def of(cls, per_identity: int, per_source: int, unbound_per_source: int, unbound: int) -> Admission:
        """With these limits."""
        return cls(*(LinkCounter(most) for most in (per_identity, per_source, unbound_per_source, unbound)))

    @property
    def empty(self) -> bool:
        """Whether no link is counted."""
        return not (self.per_identity or self.per_source or self.unbound_per_source or self.unbound)

    def admit(self, source: str) -> Crowded | None:
        """A connection was made; None if it is counted from now on, else why it is not to stay."""
        if self.per_source.full(source):
            return Crowded.SOURCE
        if self.unbound_per_source.full(source):
            return Crowded.UNBOUND_SOURCE
        if not self.unbound.take(_EVERYONE):
            return Crowded.UNBOUND
        self.per_source.take(source)
        self.unbound_per_source.take(source)
        return None

    def bind(self, source: str, identity: str) -> bool:
        """An admitted link is to be bound; False when its identity has as many links as it may have."""
        if not self.per_identity.take(identity):
            return False
        self._no_longer_unbound(source)
        return True

    def leave(self, source: str, identity: str | None) -> None:
        """An admitted link is gone.

        :param identity: the one that it was bound under; None if it wasn't.
        """
        self.per_source.give_back(source)
        if identity is None:
            self._no_longer_unbound(source)
        else:
            self.per_identity.give_back(identity)

    def _no_longer_unbound(self, source: str) -> None:
        self.unbound_per_source.give_back(source)
        self.unbound.give_back(_EVERYONE)


@define
class Seldom:
    """Lets what happens in floods be logged once in a while, for each kind of it."""

    every: float = 60.0
    """At most once in so many seconds."""
    _last: dict[str, float] = field(factory=dict, init=False)

    def due(self, kind: str, now: float) -> bool:
        """Whether to log it now.

        :param kind: one of few; not anything that came from outside.
        """
        last = self._last.get(kind)
        if last is not None and 0 <= now - last < self.every:
            return False
        self._last[kind] = now
        return True
