"""Who is told of which agent's calls and states: links that have asked for it, and may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from attrs import define

from ctiex.identities import Identity
from ctiex.messages import Message


class MonitoringLink(Protocol):
    """A bound agent link with the feature ``calls``."""

    def tell(self, message: Message) -> None:
        """Write a message that isn't answered."""


@define(eq=False)
class MonitoredAgent:
    """One link that is told of one agent."""

    link: MonitoringLink
    identity: Identity
    agent: str

    @property
    def own(self) -> bool:
        """Whether the agent is one that the link acts for, and not only supervises."""
        return self.identity.may_act_for(self.agent)


class Monitors:
    """By agent, and by link."""

    def __init__(self) -> None:
        self._of_agent: dict[str, dict[MonitoringLink, MonitoredAgent]] = {}
        self._of_link: dict[MonitoringLink, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._of_agent) + len(self._of_link)

    def start(self, monitor: MonitoredAgent) -> None:
        """Tell a link of an agent."""
        self._of_agent.setdefault(monitor.agent, {})[monitor.link] = monitor
        self._of_link.setdefault(monitor.link, {})[monitor.agent] = None

    def stop(self, link: MonitoringLink, agent: str) -> None:
        """Tell a link of an agent no longer."""
        of_agent = self._of_agent.get(agent, {})
        if of_agent.pop(link, None) is not None:
            if not of_agent:
                del self._of_agent[agent]
            of_link = self._of_link[link]
            del of_link[agent]
            if not of_link:
                del self._of_link[link]

    def leave(self, link: MonitoringLink) -> None:
        """A link is gone."""
        for agent in list(self._of_link.get(link, ())):
            self.stop(link, agent)

    def get(self, link: MonitoringLink, agent: str) -> MonitoredAgent | None:
        """That of a link for an agent."""
        return self._of_agent.get(agent, {}).get(link)

    def of(self, agent: str) -> Iterator[MonitoredAgent]:
        """Those of an agent."""
        return iter(list(self._of_agent.get(agent, {}).values()))

    def agents(self) -> Iterator[str]:
        """The agents of whom anybody is told."""
        return iter(list(self._of_agent))

    def tell(self, agent: str, make: Callable[[MonitoredAgent], Message]) -> None:
        """Tell all links of something of an agent."""
        for monitor in self.of(agent):
            monitor.link.tell(make(monitor))
