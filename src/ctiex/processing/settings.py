"""What the processing service needs to know of each automatic service, and its limits."""

from __future__ import annotations

from attrs import frozen

from ctiex.interfaces import IOrganizer


@frozen
class Timeouts:
    """How long a call of one service may stay in each state, in seconds."""

    signalling: float = 30.0
    fetch: float = 120.0
    service: float = 3_600.0
    return_: float = 60.0
    """From the final result until the customer is back (drivers that see the call)."""
    keep_closed: float = 600.0


@frozen
class ServiceSettings:
    """One automatic service as the exchange knows it [0054]."""

    name: str
    access_code: str
    signalling: str
    """The name of its signalling driver."""
    request: IOrganizer
    """Organizes the agent's fields for the service."""
    result: IOrganizer
    """Reorganizes the service's fields for the agent."""
    timeouts: Timeouts = Timeouts()


@frozen
class Limits:
    """Bounds of the processing service."""

    mailbox: int = 1_000
    """Events that one agent's mailbox holds, room reserved for ends included."""
    mailbox_ttl: float = 86_400.0
    """How long an event waits to be acknowledged, in seconds."""
    agents_per_link: int = 10_000
    """Agent numbers that may be logged in on one link."""
    events_per_call: int = 1_000
    """Service events that one call may have, for the final one there is always room."""
    calls_per_identity: int = 100_000
    """Calls not closed yet that one identity's agents may have."""
    calls_per_agent: int = 100
    """Calls not closed yet of one agent number."""
    calls_per_service: int = 100_000
    """Calls not closed yet of one service."""
    records_per_identity: int = 1_000_000
    """Calls that one identity's agents may have, those closed and not forgotten yet included."""
    agents_per_identity: int = 100_000
    """Agent numbers brought by one identity that are logged in, have open calls, or ever had an event."""
    fields_per_message: int = 1_024
    """Fields of a ConnectRequest or a ServiceEvent."""
