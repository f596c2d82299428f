"""The two clients of an exchange: for an agent's application, and for an automatic service."""

from ctiex.clients.account import ExchangeAccount
from ctiex.clients.agent import AgentClient
from ctiex.clients.agent_number import AgentNumber
from ctiex.clients.automatic_service import AutomaticService, MakeMedia
from ctiex.clients.call import ClientCall
from ctiex.clients.call_list import SHOWN
from ctiex.clients.event_taking import Position
from ctiex.clients.hand_off import HandOff
from ctiex.clients.monitored_number import MonitoredNumber
from ctiex.clients.served_call import Handler, ServedCall

__all__ = [
    "AgentClient",
    "AgentNumber",
    "AutomaticService",
    "ClientCall",
    "ExchangeAccount",
    "HandOff",
    "Handler",
    "MakeMedia",
    "MonitoredNumber",
    "Position",
    "SHOWN",
    "ServedCall",
]
