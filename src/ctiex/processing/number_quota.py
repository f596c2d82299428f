"""Agent numbers that take up memory, each counted for the identity that brought it first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ctiex.limits import Limits

_LABEL = "agent number "
"""No other label begins so, or some number would be taken for it."""


def label_of(agent: str) -> str:
    """The label under which a store keeps who brought an agent number."""
    return _LABEL + agent


def is_number_label(name: str) -> bool:
    """Whether a store's label is one of these."""
    return name.startswith(_LABEL)


class AgentNumberQuota:
    """Knows who brought each agent number that is logged in, has open calls, or ever had an event."""

    def __init__(self, limits: Limits, last_sequence: Callable[[str], int]) -> None:
        """:param last_sequence: of a number's mailbox, 0 before its first event: its numbering goes on."""
        self._limits = limits
        self._last_sequence = last_sequence
        self._registered_by: dict[str, str] = {}
        self._count: Counter[str] = Counter()
        self._uses: dict[str, int] = {}
        """By agent number: its login and its open calls."""

    def __len__(self) -> int:
        return len(self._registered_by)

    def bring(self, agent: str, identity: str) -> bool:
        """An identity brings a number, new or not; False when it has brought as many as it may."""
        if agent not in self._registered_by and self._count[identity] >= self._limits.agents_per_identity:
            return False
        self.put(agent, identity)
        return True

    def put(self, agent: str, identity: str) -> None:
        """A number is known, whatever the limit; it counts for the identity that registered it first."""
        if agent not in self._registered_by:
            self._registered_by[agent] = identity
            self._count[identity] += 1

    def use(self, agent: str) -> None:
        """A number is in use once more."""
        self._uses[agent] = self._uses.get(agent, 0) + 1

    def release(self, agent: str) -> None:
        """A number is in use once less; nothing is kept of one that is in no use and never had an event."""
        left = self._uses.pop(agent) - 1
        if left:
            self._uses[agent] = left
        elif agent in self._registered_by and not self._last_sequence(agent):
            self._count[self._registered_by.pop(agent)] -= 1

    def registered_by(self, agent: str) -> str:
        """The identity that registered it; empty without one."""
        return self._registered_by.get(agent, "")
