"""The calls to services, as ``platform-1.conf`` makes them: what became of each, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctiex.errors import Status
from ctiex.interfaces.telephony import TransferEvent

_RESULTS = {"ANSWER": TransferEvent.SERVICE_OVER, "": TransferEvent.RECALLED}


def returns_from(result: str) -> TransferEvent:
    """What a customer on the way back comes from, by the dialplan's DIALSTATUS."""
    return _RESULTS.get(result, TransferEvent.NOT_ANSWERED)


def status_of(dial_status: str, cause: str) -> Status:
    """What the failure of a call means, by the dialplan's DIALSTATUS and the hang-up cause (ITU-T Q.850)."""
    if dial_status == "NOANSWER" or (dial_status != "BUSY" and cause in ("18", "19")):
        return Status.TIMED_OUT
    if dial_status == "BUSY" or cause in ("17", "21"):
        return Status.SERVICE_REFUSED
    return Status.SERVICE_UNREACHABLE


class ServiceCalls:
    """The customers who are out, and the channels that call their services: those alone tell why a call failed.

    The customer's own channel would still show the cause of an earlier call.
    """

    def __init__(self) -> None:
        self._services: dict[str, str] = {}
        """By customer, the channel that calls the service; empty before it is dialled."""
        self._causes: dict[str, str] = {}
        """By such a channel, the cause of its hang-up; empty before."""

    def __len__(self) -> int:
        return len(self._services) + len(self._causes)

    def __contains__(self, customer: object) -> bool:
        return customer in self._services

    def began(self, customer: str) -> None:
        """A customer has left the agent."""
        self.ended(customer)
        self._services[customer] = ""

    def dialled(self, customer: str, service: str) -> None:
        """A channel calls the customer's service; calls of others are none of these."""
        if customer in self._services:
            self.ended(customer)
            self._services[customer], self._causes[service] = service, ""

    def gone(self, channel: str, cause: str) -> None:
        """A channel was hung up: that of a service, of a customer, or of anybody else."""
        if channel in self._causes:
            self._causes[channel] = cause
        self.ended(channel)

    def ended(self, customer: str) -> str:
        """A customer isn't out any more. Returns the cause of the service's hang-up; empty if it isn't known."""
        return self._causes.pop(self._services.pop(customer, ""), "")

    def go_on(self, out: Sequence[str]) -> Iterator[None]:
        """Exactly these customers are out, one by one."""
        are_out = frozenset(out)
        for customer in (*self._services, *out):
            if customer not in are_out:
                self.ended(customer)
            elif customer not in self._services:
                self.began(customer)
            yield
