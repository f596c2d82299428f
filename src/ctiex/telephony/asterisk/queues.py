"""The agents in the queues of an Asterisk: what its queues know of them, and how they get in and out.

An agent whose telephone is at its desk is a member through the dialplan (``Local/NUMBER@ctiex-join``), with a device
state of the exchange's own (``Custom:NUMBER``): the telephone itself is always in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.python.failure import Failure

from ctiex.interfaces.call_platform import CallDestination, DestinationKind, PlatformEvent, QueueMembership
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.asterisk import call_actions as acts
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.legs import AsteriskLegs
from ctiex.telephony.asterisk.settings import AsteriskSettings

LIST_QUEUES: Action = "QueueStatus", ()
"""Asks for every queue, its members and its callers."""
_NUMBER = re.compile(r"[0-9*#+]{1,32}")
_HARMLESS = ("Already there", "Not there")
"""What Asterisk says of a member that is where it is to be."""


@define
class _Member:
    """One interface in one queue."""

    paused: bool
    reason: str


class QueueMembers:
    """Who is in which queue, from the events of class ``agent`` and the answer to ``QueueStatus``."""

    def __init__(self, settings: AsteriskSettings, happened: Callable[[PlatformEvent], None]) -> None:
        self._settings = settings
        self._happened = happened
        self._members: dict[str, dict[tuple[str, str], _Member]] = {}
        """By agent number, then by interface and queue."""

    def take(self, event: AmiMessage) -> None:
        """Something has happened in a queue."""
        if event.event not in ("QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause", "QueueMember"):
            return
        interface = event["Interface"] or event["Location"]
        agent = self._agent_of(interface, event["MemberName"] or event["Name"])
        if not agent:
            return
        before = self.membership(agent)
        self._note(agent, (interface, event["Queue"]), event)
        after = self.membership(agent)
        if after != before and event.event != "QueueMember":
            device = self._device_of(interface)
            self._happened(after or QueueMembership(agent, device, (), False))

    def _note(self, agent: str, key: tuple[str, str], event: AmiMessage) -> None:
        members = self._members.setdefault(agent, {})
        if event.event == "QueueMemberRemoved":
            members.pop(key, None)
            if not members:
                del self._members[agent]
        else:
            paused = event["Paused"] == "1"
            members[key] = _Member(paused, (event["PausedReason"] or event["Reason"]) if paused else "")

    def membership(self, agent: str) -> QueueMembership | None:
        """What the queues know of an agent."""
        members = self._members.get(agent)
        if not members:
            return None
        (interface, _), first = next(iter(members.items()))
        queues = tuple(sorted({queue for _, queue in members}))
        paused = all(one.paused for one in members.values())
        return QueueMembership(agent, self._device_of(interface), queues, paused, first.reason if paused else "")

    def interfaces(self, agent: str) -> Iterator[tuple[str, str]]:
        """The interfaces under which an agent is a member, each with a queue."""
        return iter(list(self._members.get(agent, {})))

    def is_joined(self, agent: str) -> bool:
        """Whether queues know an agent by a device state of the exchange's own."""
        return any(interface == joined(agent, self._settings) for interface, _ in self._members.get(agent, ()))

    def _agent_of(self, interface: str, name: str) -> str:
        if _NUMBER.fullmatch(name):
            return name
        return self._device_of(interface)

    def _device_of(self, interface: str) -> str:
        number = interface.removeprefix("Local/").partition("@")[0]
        if interface == joined(number, self._settings):
            return number
        return self._settings.agent_of(interface)


def joined(agent: str, settings: AsteriskSettings) -> str:
    """The interface of an agent whose telephone is at its desk."""
    return f"Local/{agent}@{settings.join_context}"


class QueueOrders:
    """What an Asterisk does with its queues when it is asked."""

    _settings: AsteriskSettings
    _legs: AsteriskLegs
    _queues: QueueMembers

    def membership(self, agent: str) -> QueueMembership | None:
        """What the queues know of an agent."""
        return self._queues.membership(agent)

    def queue_log_in(self, agent: str, device: str, queues: tuple[str, ...], reason: str) -> Deferred[None]:
        """Make an agent a member of queues, paused with this reason."""
        try:
            interface, state = self._interface(acts.number(agent), acts.number(device or agent))
            adding = [self._adding(acts.name(queue), interface, state, agent, reason) for queue in queues]
            pausing = self._pausing(interface, True, reason)
        except OrderRefused:
            return fail()
        if not adding:
            return succeed(None)
        for old, queue in self._queues.interfaces(agent):
            if old != interface:  # the agent has another telephone now
                self._ask(("QueueRemove", (("Queue", queue), ("Interface", old))))
        return self._all(adding).addCallback(lambda _: self._order(pausing)).addCallback(self._desks_seen, agent)

    def _interface(self, agent: str, device: str) -> tuple[str, str]:
        """How a queue calls an agent, and by which device state it knows whether they are free."""
        if agent == device and any(leg.at_desk for leg in self._legs.legs.of_agent(agent)):
            return joined(agent, self._settings), f"Custom:{agent}"
        return acts.dial(CallDestination(DestinationKind.AGENT, device), self._settings), ""

    def _adding(self, queue: str, interface: str, state: str, agent: str, reason: str) -> Action:
        extra = (("StateInterface", state),) if state else ()
        return "QueueAdd", (
            ("Queue", queue),
            ("Interface", interface),
            ("MemberName", agent),
            ("Paused", "true"),
            ("Reason", line(reason)),
            *extra,
        )

    def _pausing(self, interface: str, paused: bool, reason: str) -> Action:
        said = (("Interface", interface), ("Paused", "true" if paused else "false"), ("Reason", line(reason)))
        return "QueuePause", said

    def queue_log_out(self, agent: str) -> Deferred[None]:
        """Take an agent out of all queues."""
        members = self._queues.interfaces(agent)
        return self._all([("QueueRemove", (("Queue", queue), ("Interface", one))) for one, queue in members])

    def queue_pause(self, agent: str, reason: str) -> Deferred[None]:
        """Pause an agent in all queues."""
        return self._pause(agent, True, reason)

    def queue_unpause(self, agent: str) -> Deferred[None]:
        """Let an agent be offered calls again."""
        return self._pause(agent, False, "")

    def _pause(self, agent: str, paused: bool, reason: str) -> Deferred[None]:
        interfaces = {one for one, _ in self._queues.interfaces(agent)}
        try:
            return self._all([self._pausing(one, paused, reason) for one in sorted(interfaces)])
        except OrderRefused:
            return fail()

    def _all(self, actions: list[Action]) -> Deferred[None]:
        """Ask for all, one after the other; a member that is where it is to be already is no error."""

        async def ask() -> None:
            for action in actions:
                await self._order(action).addErrback(_harmless)

        return ensureDeferred(ask())

    def _desks_seen(self, result: None, agent: str) -> None:
        """A new member's device state is that of the present."""
        raise NotImplementedError

    def _order(self, action: Action) -> Deferred[None]:
        raise NotImplementedError

    def _ask(self, *asked: Action) -> None:
        raise NotImplementedError


def _harmless(failure: Failure) -> Any:
    failure.trap(OrderRefused)
    return None if failure.getErrorMessage().endswith(_HARMLESS) else failure


def line(text: str) -> str:
    """A reason, as one line.

    :raise OrderRefused: it is none.
    """
    if not text.isprintable() and text:
        raise OrderRefused("the reason isn't one line of text")
    return text
