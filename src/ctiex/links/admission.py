"""How many links there may be, and how fast they may come: for each identity, for each source address, and unbound."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from attrs import define, field

from ctiex.limits import Limits
from ctiex.links.descriptors import Descriptors
from ctiex.rates import Pace


class LinkCounter(Counter[str]):
    """How many links there are of each key: an identity, a source. Nothing is kept of a key that has none."""

    def give_back(self, key: str) -> None:
        """One of them is gone."""
        self[key] -= 1
        if not self[key]:
            del self[key]


class AdmissionRefusal(Enum):
    """Why a connection is turned away: the text is for the log, the name that of its counter."""

    links_over_source_limit = "too many links from this source"
    unbound_links_over_source_limit = "too many unbound links from this source"
    unbound_links_over_limit = "too many unbound links"
    connections_too_fast = "too many connections a second from this source"
    connections_without_descriptor = "too few file descriptors left"


@define
class Admission:
    """The counts of all links of an exchange, on both of its listening ports together.

    A link is admitted when it opens, then maybe bound, and given back when it ends.
    """

    limits: Limits = field(factory=Limits)
    descriptors: Descriptors = field(factory=Descriptors)
    """None may take all of them: one identity's, one source's and all unbound links have a part at most."""
    per_identity: LinkCounter = field(factory=LinkCounter, init=False)
    per_source: LinkCounter = field(factory=LinkCounter, init=False)
    unbound_per_source: LinkCounter = field(factory=LinkCounter, init=False)
    unbound: int = field(default=0, init=False)
    pace: Pace = field(factory=Pace, init=False)

    @property
    def empty(self) -> bool:
        """Whether no link is counted."""
        return not (self.per_identity or self.per_source or self.unbound_per_source or self.unbound)

    def admit(self, source: str, now: float) -> AdmissionRefusal | None:
        """A connection was made; None if it is counted from now on, else why it is not to stay."""
        limits, of_one = self.limits, self.descriptors.of_one
        if self.per_source[source] >= of_one(limits.links_per_source):
            return AdmissionRefusal.links_over_source_limit
        if self.unbound_per_source[source] >= of_one(limits.unbound_links_per_source):
            return AdmissionRefusal.unbound_links_over_source_limit
        if self.unbound >= of_one(limits.unbound_links):
            return AdmissionRefusal.unbound_links_over_limit
        if not self.pace.take(source, limits.connections_per_second_per_source, now):
            return AdmissionRefusal.connections_too_fast
        self.unbound += 1
        self.unbound_per_source[source] += 1
        self.per_source[source] += 1
        return None

    def bind(self, source: str, identity: str) -> bool:
        """An admitted link is to be bound; False when its identity has as many links as it may have."""
        if self.per_identity[identity] >= self.descriptors.of_one(self.limits.links_per_identity):
            return False
        self.per_identity[identity] += 1
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
        self.unbound -= 1
        self.unbound_per_source.give_back(source)
