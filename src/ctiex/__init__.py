"""CTIEX: the data of a call, beside the call, between agents and automatic services.

What an application needs is here, and comes when it is asked for: ``import ctiex`` alone imports nothing more. Beside
it are public: :mod:`ctiex.clients`, :mod:`ctiex.services`, :mod:`ctiex.interfaces` and :mod:`ctiex.plugins` for what
plugs in, :mod:`ctiex.testing` for its tests, and the values in :mod:`ctiex.call_messages`, :mod:`ctiex.errors`,
:mod:`ctiex.fields`, :mod:`ctiex.messages`, :mod:`ctiex.records` and :mod:`ctiex.serials`. Everything else is internal,
and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctiex.app.exchange import Exchange
    from ctiex.call_messages import Action, AgentStateCode, CallChange, ConnectionState, PartyRole, Recording
    from ctiex.clients.account import ExchangeAccount
    from ctiex.clients.agent import AgentClient
    from ctiex.clients.automatic_service import AutomaticService
    from ctiex.clients.call import ClientCall
    from ctiex.clients.event_taking import Position
    from ctiex.clients.monitored_number import MonitoredNumber
    from ctiex.clients.served_call import ServedCall
    from ctiex.config.reading import load as load_configuration
    from ctiex.config.reading import parse as parse_configuration
    from ctiex.errors import (
        BindRefused,
        BrokenExchange,
        CallerHungUp,
        CallError,
        ConfigurationError,
        CtiexError,
        FieldError,
        LinkBusy,
        LinkError,
        LinkLost,
        NotBound,
        RequestTimedOut,
        SerialError,
        Status,
        StoreUnavailable,
        TlsRefused,
        UnsafeLink,
    )
    from ctiex.fields import Fields
    from ctiex.identities import Identity
    from ctiex.links.agent import AgentLinkFactory
    from ctiex.links.ivr import IvrLinkFactory
    from ctiex.links.protocol import LinkProtocol
    from ctiex.messages import Condition, Feature, OpenCall, OpenCallState, Role
    from ctiex.processing.service import ProcessingService
    from ctiex.services.outcome import Outcome

    __version__: str

_HOME = {
    "Action": "ctiex.call_messages",
    "AgentClient": "ctiex.clients.agent",
    "AgentLinkFactory": "ctiex.links.agent",
    "AgentStateCode": "ctiex.call_messages",
    "AutomaticService": "ctiex.clients.automatic_service",
    "CallChange": "ctiex.call_messages",
    "ClientCall": "ctiex.clients.call",
    "Condition": "ctiex.messages",
    "ConnectionState": "ctiex.call_messages",
    "Exchange": "ctiex.app.exchange",
    "ExchangeAccount": "ctiex.clients.account",
    "Feature": "ctiex.messages",
    "Fields": "ctiex.fields",
    "Identity": "ctiex.identities",
    "IvrLinkFactory": "ctiex.links.ivr",
    "LinkProtocol": "ctiex.links.protocol",
    "MonitoredNumber": "ctiex.clients.monitored_number",
    "OpenCall": "ctiex.messages",
    "OpenCallState": "ctiex.messages",
    "Outcome": "ctiex.services.outcome",
    "PartyRole": "ctiex.call_messages",
    "Position": "ctiex.clients.event_taking",
    "ProcessingService": "ctiex.processing.service",
    "Recording": "ctiex.call_messages",
    "Role": "ctiex.messages",
    "ServedCall": "ctiex.clients.served_call",
    "load_configuration": "ctiex.config.reading:load",
    "parse_configuration": "ctiex.config.reading:parse",
}
"""The modules that public names come from; :mod:`ctiex.errors` for those that don't stand here."""

__all__ = [
    "Action",
    "AgentClient",
    "AgentLinkFactory",
    "AgentStateCode",
    "AutomaticService",
    "BindRefused",
    "BrokenExchange",
    "CallChange",
    "CallError",
    "CallerHungUp",
    "ClientCall",
    "Condition",
    "ConfigurationError",
    "ConnectionState",
    "CtiexError",
    "Exchange",
    "ExchangeAccount",
    "Feature",
    "FieldError",
    "Fields",
    "Identity",
    "IvrLinkFactory",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "LinkProtocol",
    "MonitoredNumber",
    "NotBound",
    "OpenCall",
    "OpenCallState",
    "Outcome",
    "PartyRole",
    "Position",
    "ProcessingService",
    "Recording",
    "RequestTimedOut",
    "Role",
    "SerialError",
    "ServedCall",
    "Status",
    "StoreUnavailable",
    "TlsRefused",
    "UnsafeLink",
    "load_configuration",
    "parse_configuration",
]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is asked for first."""
    if name == "__version__":
        found: Any = _version()
    elif name in __all__:
        module, _, attribute = _HOME.get(name, "ctiex.errors").partition(":")
        found = getattr(import_module(module), attribute or name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ctiex")
    except PackageNotFoundError:  # run from a checkout that isn't installed
        return "0+unknown"
