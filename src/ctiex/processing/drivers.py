"""The signalling drivers, by the service of a call: a driver's fault is its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from twisted.logger import Logger

from ctiex.errors import Status
from ctiex.interfaces import ISignalling
from ctiex.messages import Condition
from ctiex.processing.context import ServiceSettings
from ctiex.records import Call, CallState

_log = Logger()


def _guarded(whom: str, ask: Callable[[], int | None]) -> int | None:
    """Ask a driver for something: its fault must not become the link's whose request it was, nor stop the call."""
    try:
        return ask()
    except Exception:
        _log.failure("the signalling driver failed for {whom}", whom=whom)
        return None


class SignallingDrivers:
    """Finds the driver of each call."""

    def __init__(self, services: Mapping[str, ServiceSettings]) -> None:
        self._services = services
        self.by_name: Mapping[str, ISignalling] = {}
        """None before the start."""

    def of(self, call: Call) -> ISignalling:
        """The driver that signals calls of this service."""
        return self.by_name[self._services[call.service].signalling]

    def withdraw(self, call: Call) -> Status:
        """Have its driver release a call; what the driver has met so far."""
        if call.service not in self._services:
            return Status.SERVICE_UNREACHABLE
        met = _guarded(call.serial, lambda: self.of(call).withdraw(call.serial))
        return Status.SERVICE_UNREACHABLE if met is None else Status.of(met)

    def resume(self, call: Call) -> None:
        """Have a driver that sees the call find out what became of it meanwhile."""
        going_on = call.state is not CallState.CLOSED and Condition.RETURNED not in call.told
        if going_on and call.service in self._services:
            _guarded(call.serial, lambda: self.of(call).resume(call.serial, call.agent))

    def agent_logged_in(self, agent: str) -> None:
        """An agent number was logged in: drivers that see calls may have one to tell of."""
        for driver in self.by_name.values():
            _guarded(agent, partial(driver.agent_logged_in, agent))
