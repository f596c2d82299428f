"""The legs of a platform, found by whatever they are asked for; of any platform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from ctiex.interfaces.call_platform import ILegs, Leg

_INDEXED = ("call", "agent", "bridge", "desk", "service")
_NOWHERE = ("",) * len(_INDEXED)


@implementer(ILegs)
class LegModel:
    """Legs, each found at the same cost however many there are."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}
        self._found: dict[str, dict[str, dict[str, Leg]]] = {name: {} for name in _INDEXED}
        self._filed: dict[str, tuple[str, ...]] = {}
        """By id: under what a leg is found."""

    def __len__(self) -> int:
        return len(self._legs)

    def leg(self, id: str) -> Leg | None:
        """The leg with this id; None: it isn't known, or gone."""
        return self._legs.get(id)

    def of_call(self, call: str) -> Iterator[Leg]:
        """The legs that belong to a call, in the order in which they came."""
        return self._of("call", call)

    def of_agent(self, agent: str) -> Iterator[Leg]:
        """The legs of an agent number's devices."""
        return self._of("agent", agent)

    def in_bridge(self, bridge: str) -> Iterator[Leg]:
        """The legs in a bridge, a hold, or a conference."""
        return self._of("bridge", bridge)

    def for_desk(self, leg: str) -> Iterator[Leg]:
        """The legs that are held for, ring for, or were called for this agent's leg."""
        return self._of("desk", leg)

    def with_service(self, serial: str) -> Iterator[Leg]:
        """The legs of who is with a service under this serial, and of who waits for them."""
        return self._of("service", serial)

    def all(self) -> Iterator[Leg]:
        """Every leg."""
        return iter(list(self._legs.values()))

    def _of(self, index: str, value: str) -> Iterator[Leg]:
        return iter(list(self._found[index].get(value, {}).values()))

    # ------------------------------------------------------------ what happens

    def put(self, leg: Leg) -> None:
        """There is another leg; or one of this id is as this one is, whatever it was."""
        self._legs[leg.id] = leg
        before = self._filed.get(leg.id, _NOWHERE)
        now = self._filed[leg.id] = tuple(getattr(leg, name) for name in _INDEXED)
        for name, was, value in zip(_INDEXED, before, now, strict=True):
            if was != value:
                self._unfile(name, was, leg.id)
            if value:
                self._found[name].setdefault(value, {})[leg.id] = leg

    def remove(self, id: str) -> Leg | None:
        """A leg is gone; which one it was."""
        for name, was in zip(_INDEXED, self._filed.pop(id, _NOWHERE), strict=True):
            self._unfile(name, was, id)
        return self._legs.pop(id, None)

    def change(self, leg: Leg, **changes: Any) -> bool:
        """Something of a leg is different; whether anything is."""
        changed = {name: value for name, value in changes.items() if getattr(leg, name) != value}
        for name, value in changed.items():
            setattr(leg, name, value)
        if changed.keys() & _INDEXED:
            self.put(leg)
        return bool(changed)

    def _unfile(self, name: str, value: str, id: str) -> None:
        found = self._found[name].get(value, {})
        if found.pop(id, None) is not None and not found:
            del self._found[name][value]
