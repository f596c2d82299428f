"""Tells the queues of an Asterisk which of the agents are free whose telephones are at their desks."""

from __future__ import annotations

from collections.abc import Callable

from ctiex.interfaces.call_platform import Leg, LegPlace
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.asterisk.legs import AsteriskLegs
from ctiex.telephony.asterisk.queues import QueueMembers


class DeskStates:
    """The device states ``Custom:NUMBER``: in use are those who talk, and those for whom somebody is held or rings."""

    def __init__(self, legs: AsteriskLegs, queues: QueueMembers, ask: Callable[[Action], None]) -> None:
        self._legs = legs
        self._queues = queues
        self._ask = ask
        self._told: dict[str, tuple[str, str]] = {}
        """By the id of an agent's leg, the agent's number and what was told."""

    def __len__(self) -> int:
        return len(self._told)

    def look(self) -> None:
        """See whether what has happened has changed anything."""
        touched, self._legs.touched = self._legs.touched, set()
        for id in touched:
            leg = self._legs.legs.leg(id)
            if leg is None:
                self._gone(id)
            elif leg.at_desk and leg.place is not LegPlace.NOWHERE and leg.agent and self._queues.is_joined(leg.agent):
                self._tell(leg)

    def tell_again(self, agent: str) -> None:
        """Queues have an agent anew."""
        for leg in self._legs.legs.of_agent(agent):
            self._told.pop(leg.id, None)
            self._legs.touched.add(leg.id)
        self.look()

    def _tell(self, leg: Leg) -> None:
        free = leg.place is LegPlace.DESK and next(self._legs.legs.for_desk(leg.id), None) is None
        told = leg.agent, "NOT_INUSE" if free else "INUSE"
        if self._told.get(leg.id) != told:
            self._told[leg.id] = told
            self._set(*told)

    def _gone(self, id: str) -> None:
        """The dialplan says so as well, but what was asked just before may come behind that."""
        if id in self._told:
            agent, _ = self._told.pop(id)
            self._set(agent, "UNAVAILABLE")

    def _set(self, agent: str, state: str) -> None:
        self._ask(("Setvar", (("Variable", f"DEVICE_STATE(Custom:{agent})"), ("Value", state))))
