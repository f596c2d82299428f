"""Who is connected with whom on a platform, kept from what the platform reports of its parties.

Whatever is asked about one party or one bridge takes the same time however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import Protocol

from zope.interface import implementer

from ctiex.interfaces.telephony import Conversation, ICallModel, Party


class Roles(Protocol):
    """Who is who, by what the platform calls a party."""

    def agent_of(self, name: str) -> str:
        """The agent number that a party belongs to; empty if it is no agent's."""

    def is_customer(self, name: str) -> bool:
        """Whether a party may be a customer."""


@implementer(ICallModel)
class CallModel:
    """The parties that are or were in a bridge, and the bridges that they are in."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._parties: dict[str, Party] = {}
        self._named: dict[str, Party] = {}
        self._numbered: dict[str, dict[str, Party]] = {}
        self._members: dict[str, dict[str, Party]] = {}
        self._holding: dict[str, str] = {}
        """Bridges in which the members can't hear each other, with the serial that they are held under; empty: none."""
        self._holds: dict[str, str] = {}
        """The same the other way round, of those with a serial."""
        self._freed: set[str] = set()
        """Bridges whose members wait for no customer any more; nor does a party that enters one later."""

    def __len__(self) -> int:
        kept: tuple[Sized, ...] = (
            self._parties, self._named, self._numbered, self._members, self._holding, self._holds, self._freed,
        )  # fmt: skip
        return sum(map(len, kept))

    def party(self, id: str) -> Party | None:
        """The party with this id, if it was ever in a bridge and isn't gone."""
        return self._parties.get(id)

    def named(self, name: str) -> Party | None:
        """The party of this name."""
        return self._named.get(name)

    def has_customer(self, number: str) -> bool:
        """Whether a customer with this calling number is there; a withheld one is nobody's."""
        return any(self._roles.is_customer(party.name) for party in self._numbered.get(number, {}).values())

    def agent_of(self, party: Party) -> str:
        """The agent number that a party belongs to; empty if it is no agent's."""
        return self._roles.agent_of(party.name)

    # ------------------------------------------------------------ what happens

    def seen(self, id: str, name: str, number: str | None, bridge: str) -> Party:
        """A party is there, in this bridge; empty: in none.

        :param number: its calling number, empty if it is withheld; None: that isn't told now.
        """
        party = self._parties.get(id)
        if party is None:
            party = self._parties[id] = Party(id, name)
        self._name(party, name)
        if number is not None and number != party.number:
            self._number(party, number)
        self._move(party, bridge)
        return party

    def left(self, id: str, bridge: str) -> None:
        """A party has left a bridge."""
        party = self._parties.get(id)
        if party is not None and party.bridge == bridge:
            self._move(party, "")

    def renamed(self, id: str, name: str) -> None:
        """A party has another name."""
        party = self._parties.get(id)
        if party is not None:
            self._name(party, name)

    def gone(self, id: str) -> None:
        """A party is gone."""
        party = self._parties.pop(id, None)
        if party is not None:
            self._unname(party)
            self._unnumber(party)
            self._move(party, "")

    def holds(self, bridge: str, serial: str = "") -> None:
        """The members of this bridge can't hear each other.

        :param serial: they wait for the customer who was transferred under it.
        """
        self._holding[bridge] = serial
        if serial:
            self._holds[serial] = bridge

    def ended(self, bridge: str) -> None:
        """A bridge is gone, and what it was for."""
        self._freed.discard(bridge)
        serial = self._holding.pop(bridge, "")
        if self._holds.get(serial) == bridge:
            del self._holds[serial]

    def _name(self, party: Party, name: str) -> None:
        self._unname(party)
        party.name = name
        self._named[name] = party

    def _number(self, party: Party, number: str) -> None:
        self._unnumber(party)
        party.number = number
        if number:
            self._numbered.setdefault(number, {})[party.id] = party

    def _unnumber(self, party: Party) -> None:
        others = self._numbered.get(party.number, {})
        if others.pop(party.id, None) is not None and not others:
            del self._numbered[party.number]

    def _unname(self, party: Party) -> None:
        if self._named.get(party.name) is party:
            del self._named[party.name]

    def _move(self, party: Party, bridge: str) -> None:
        if party.bridge == bridge:
            return
        if party.bridge:
            members = self._members[party.bridge]
            del members[party.id]
            if not members:
                del self._members[party.bridge]
                self.ended(party.bridge)
        party.bridge = bridge
        if bridge:
            self._members.setdefault(bridge, {})[party.id] = party

    # ------------------------------------------------------------ who talks with whom

    def members(self, bridge: str) -> list[Party]:
        """The parties in a bridge."""
        return list(self._members.get(bridge, {}).values())

    def conversation_in(self, bridge: str) -> Conversation | None:
        """The customer and the agent in a bridge, if only these two are in it."""
        members = self.members(bridge) if bridge not in self._holding else []
        if len(members) != 2:
            return None
        for customer, agent_party in (members, reversed(members)):
            agent = self.agent_of(agent_party)
            if agent and self._roles.is_customer(customer.name):
                return Conversation(customer, agent_party, agent)
        return None

    def conversations(self) -> Iterator[Conversation | None]:
        """The same of every bridge, one by one."""
        for bridge in list(self._members):
            yield self.conversation_in(bridge)

    def parted(self, conversation: Conversation) -> bool:
        """Whether the customer or the agent talks with somebody else. Neither may be anywhere: they may be moving."""
        customer, agent_party = conversation.customer, conversation.agent_party
        return self._hears_another(customer, agent_party) or self._hears_another(agent_party, customer)

    def _hears_another(self, party: Party, than: Party) -> bool:
        """Whether somebody is in a bridge with other people, and not with this one."""
        members = self._members.get(party.bridge, {}) if party.bridge not in self._holding else {}
        return len(members) > 1 and than.id not in members

    # ------------------------------------------------------------ who is held

    def held_for(self, serial: str) -> Sequence[Party]:
        """Who is held until the customer comes back who was transferred under this serial."""
        return self.members(self._holds.get(serial, ""))

    def held(self) -> Iterator[str]:
        """Of every bridge, one by one, the serial under which its members are held; empty without one."""
        for bridge in list(self._members):
            yield self.serial_of_hold(bridge)

    def serial_of_hold(self, bridge: str) -> str:
        """The serial under which parties are held in this bridge; empty without one."""
        return self._holding.get(bridge, "")

    def free(self, serial: str) -> Sequence[Party]:
        """No customer comes back under this serial any more. Returns who is held for them."""
        bridge = self._holds.get(serial, "")
        if bridge in self._members:
            self._freed.add(bridge)
        return self.held_for(serial)

    def is_freed(self, bridge: str) -> bool:
        """Whether the members of a bridge wait for no customer any more."""
        return bridge in self._freed
