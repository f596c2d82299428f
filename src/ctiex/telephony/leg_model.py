"""The legs of a platform, by id and by whatever is asked about them; each answer takes the same time however many."""

from __future__ import annotations

from collections.abc import Iterator

from zope.interface import implementer

from ctiex.interfaces.call_platform import ILegs, Leg

_INDEXED = ("call", "agent", "bridge", "desk")


@implementer(ILegs)
class LegModel:
    """Legs, and an index of each attribute by which they are looked for."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}
        self._by: dict[str, dict[str, dict[str, Leg]]] = {name: {} for name in _INDEXED}
        self._filed: dict[str, tuple[str, ...]] = {}
        """By id: under what a leg stands in each index."""

    def __len__(self) -> int:
        return len(self._legs)

    def put(self, leg: Leg) -> None:
        """A leg is new, or something of it has changed."""
        self._unfile(leg.id)
        self._legs[leg.id] = leg
        self._filed[leg.id] = keys = tuple(getattr(leg, name) for name in _INDEXED)
        for name, key in zip(_INDEXED, keys, strict=True):
            if key:
                self._by[name].setdefault(key, {})[leg.id] = leg

    def remove(self, id: str) -> Leg | None:
        """A leg is gone."""
        self._unfile(id)
        return self._legs.pop(id, None)

    def _unfile(self, id: str) -> None:
        for name, key in zip(_INDEXED, self._filed.pop(id, ()), strict=False):
            if key:
                filed = self._by[name][key]
                del filed[id]
                if not filed:
                    del self._by[name][key]

    def leg(self, id: str) -> Leg | None:
        """The leg with this id."""
        return self._legs.get(id)

    def of_call(self, call: str) -> Iterator[Leg]:
        """The legs that belong to a call."""
        return iter(list(self._by["call"].get(call, {}).values()))

    def of_agent(self, agent: str) -> Iterator[Leg]:
        """The legs of an agent number's devices."""
        return iter(list(self._by["agent"].get(agent, {}).values()))

    def in_bridge(self, bridge: str) -> Iterator[Leg]:
        """The legs that are together."""
        return iter(list(self._by["bridge"].get(bridge, {}).values()))

    def for_desk(self, leg: str) -> Iterator[Leg]:
        """The legs that are held for, ring for, or were called for an agent's leg."""
        return iter(list(self._by["desk"].get(leg, {}).values()))

    def all(self) -> Iterator[Leg]:
        """Every leg."""
        return iter(list(self._legs.values()))
