"""Automatic services that talk to the customer through IMedia: the seed's three, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ctiex.services.bill_broadcast import BillBroadcast
from ctiex.services.number_broadcast import NumberBroadcast
from ctiex.services.outcome import Outcome, Report, Service
from ctiex.services.password_authentication import PasswordAuthentication

BUILT_IN: Mapping[str, Callable[[], Service]] = {
    "number-broadcast": NumberBroadcast,
    "bill-broadcast": BillBroadcast,
    "password-authentication": PasswordAuthentication,
}
"""What makes each built-in service, by its name in the configuration."""

__all__ = ["BUILT_IN", "Outcome", "Report", "Service"]
