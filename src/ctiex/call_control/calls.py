"""The calls of agents, as they were told last, and what the exchange keeps of each beside its legs."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from ctiex.call_messages import CallParty, PartyRole, Recording
from ctiex.fields import EMPTY, Fields


@define(eq=False)
class AgentCall:
    """One call in which an agent is, or was until it ended."""

    id: str
    serial: str = ""
    serials_before: tuple[str, ...] = ()
    """Those of its hand-offs that are over."""
    related: str = ""
    """Of a consultation: the id of the call that it is for."""
    queue: str = ""
    recording: Recording = Recording.OFF
    parties: tuple[CallParty, ...] = ()
    """As it was told last."""
    version: int = 0
    fields: Fields = field(default=EMPTY, repr=False)
    coming: tuple[int, Fields] | None = field(default=None, repr=False)
    """The data and its version as they will be, while the store takes them."""
    waits_at_desk: str = ""
    """The id of the leg of the agent who makes the call, while nobody else is in it yet."""
    by: str = ""
    """The agent who gave the order that is under way."""
    in_order: bool = False
    """Whether one is: then it isn't told that the call is over before the order is."""
    with_service: bool = False
    """Whether the customer is handed over to an automatic service."""
    actions: tuple[int, ...] = ()
    """What each agent in it may ask for, as it was told last."""
    supervised: tuple[tuple[str, str], ...] = ()
    """The legs of supervisors, and how each takes part."""
    supervisors: frozenset[str] = frozenset()
    """The ids of legs that are being called for supervisors."""

    @property
    def root(self) -> str:
        """Orders on calls that have this in common are given one at a time."""
        return self.related or self.id

    def party(self, id: str) -> CallParty | None:
        """The party with this id."""
        return next((party for party in self.parties if party.id == id), None)

    def party_of(self, agent: str) -> CallParty | None:
        """The agent's own party."""
        of_agent = (one for one in self.parties if one.agent == agent and one.party_role is PartyRole.AGENT)
        return next(of_agent, None)

    def agents(self) -> Iterator[str]:
        """The agent numbers who are parties."""
        return (party.agent for party in self.parties if party.agent and party.party_role is PartyRole.AGENT)


class AgentCalls:
    """By id, by serial, and by agent."""

    def __init__(self) -> None:
        self._calls: dict[str, AgentCall] = {}
        self._by_serial: dict[str, AgentCall] = {}
        self._of_agent: dict[str, dict[str, AgentCall]] = {}
        self._related: dict[str, dict[str, AgentCall]] = {}

    def __len__(self) -> int:
        return len(self._calls) + len(self._by_serial) + len(self._of_agent) + len(self._related)

    def __iter__(self) -> Iterator[AgentCall]:
        return iter(list(self._calls.values()))

    def get(self, id: str) -> AgentCall | None:
        """The call with this id."""
        return self._calls.get(id)

    def with_serial(self, serial: str) -> AgentCall | None:
        """The call with this serial."""
        return self._by_serial.get(serial)

    def of_agent(self, agent: str) -> list[AgentCall]:
        """The calls in which an agent is, the oldest first."""
        return list(self._of_agent.get(agent, {}).values())

    def consultations(self, id: str) -> list[AgentCall]:
        """The calls that are consultations for this one."""
        return list(self._related.get(id, {}).values())

    def pairs(self, call: AgentCall) -> list[AgentCall]:
        """The consultations for this call, or the call that this consultation is for."""
        main = self._calls.get(call.related) if call.related else None
        return self.consultations(call.id) if main is None else [main]

    def pair(self, call: AgentCall, agent: str) -> AgentCall | None:
        """The consultation of an agent for this call, or the call that this consultation is for."""
        if call.related:
            return self._calls.get(call.related)
        return next((one for one in self.consultations(call.id) if one.party_of(agent) is not None), None)

    def put(self, call: AgentCall) -> None:
        """There is a new one."""
        self._calls[call.id] = call
        if call.related:
            self._related.setdefault(call.related, {})[call.id] = call

    def name(self, call: AgentCall, serial: str) -> None:
        """A call has a serial, in place of the one before."""
        self._by_serial.pop(call.serial, None)
        call.serial = serial
        self._by_serial[serial] = call

    def told(self, call: AgentCall, parties: tuple[CallParty, ...]) -> None:
        """Who is a party now."""
        before, call.parties = set(call.agents()), parties
        now = set(call.agents())
        for agent in before - now:
            of_agent = self._of_agent[agent]
            del of_agent[call.id]
            if not of_agent:
                del self._of_agent[agent]
        for agent in now - before:
            self._of_agent.setdefault(agent, {})[call.id] = call

    def remove(self, call: AgentCall) -> None:
        """A call is over."""
        self.told(call, ())
        self._calls.pop(call.id, None)
        self._by_serial.pop(call.serial, None)
        if call.related:
            related = self._related.get(call.related, {})
            related.pop(call.id, None)
            if not related:
                self._related.pop(call.related, None)
