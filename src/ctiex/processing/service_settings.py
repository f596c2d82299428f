"""What the processing service needs to know of each automatic service."""

from __future__ import annotations

from attrs import field, frozen

from ctiex.interfaces import IOrganizer
from ctiex.limits import Timeouts


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
    timeouts: Timeouts = field(factory=Timeouts)
