"""What the events of Asterisk's manager interface mean: for the call model, and for whoever listens to the platform."""

from __future__ import annotations

from collections.abc import Iterator

from ctiex.interfaces.telephony import (
    Established,
    PartyDropped,
    PartyHeld,
    TelephonyEvent,
    TransferEvent,
    TransferProgress,
)
from ctiex.serials import is_serial
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.service_calls import ServiceCalls, returns_from, status_of
from ctiex.telephony.call_model import CallModel

_HOLD = "ctiex-"
"""How the dialplan names the bridge in which an agent is held, before the serial."""


def update(calls: CallModel, event: AmiMessage) -> None:
    """Something has happened to a channel or a bridge; other events change nothing."""
    match event.event:
        case "BridgeEnter":
            update_bridge(calls, event)
            seen(calls, event, event["BridgeUniqueid"])
        case "BridgeLeave":
            calls.left(event["Uniqueid"], event["BridgeUniqueid"])
        case "BridgeDestroy":
            calls.ended(event["BridgeUniqueid"])
        case "Rename":
            calls.renamed(event["Uniqueid"], event["Newname"])
        case "Hangup":
            calls.gone(event["Uniqueid"])


def update_bridge(calls: CallModel, event: AmiMessage) -> None:
    """An event tells of the kind of a bridge."""
    name = event["BridgeName"]
    if event["BridgeType"] not in ("", "basic"):
        serial = name.removeprefix(_HOLD) if name.startswith(_HOLD) else ""
        calls.holds(event["BridgeUniqueid"], serial if is_serial(serial) else "")  # call control has holds of its own


def seen(calls: CallModel, event: AmiMessage, bridge: str) -> None:
    """An event tells of a channel; no number is that of the call to the service, which had the serial behind it."""
    number = event["CallerIDNum"] or None
    calls.seen(event["Uniqueid"], event["Channel"], "" if number == "<unknown>" else number, bridge)


class EventReader:
    """Reads what an event tells a listener, once the call model has taken it."""

    def __init__(self) -> None:
        self.service_calls = ServiceCalls()

    def read(self, event: AmiMessage, calls: CallModel) -> Iterator[TelephonyEvent]:
        """What it tells, in order."""
        match event.event:
            case "BridgeEnter" | "BridgeLeave":
                yield from self._connected(event, calls)
            case "Hangup":
                self.service_calls.gone(event["Uniqueid"], event["Cause"])
                yield PartyDropped(event["Uniqueid"])
            case "DialBegin":
                self.service_calls.dialled(event["Uniqueid"], event["DestUniqueid"])
            case "DialEnd" if event["DialStatus"] == "ANSWER" and event["Uniqueid"] in self.service_calls:
                yield TransferProgress(event["Uniqueid"], TransferEvent.ANSWERED)
            case "UserEvent" if event["UserEvent"] == "ctiex":
                yield from self._in_phase(event)

    def _connected(self, event: AmiMessage, calls: CallModel) -> Iterator[TelephonyEvent]:
        """Who is together in a bridge now; whoever enters one may be held there."""
        bridge = event["BridgeUniqueid"]
        conversation, serial = calls.conversation_in(bridge), calls.serial_of_hold(bridge)
        if conversation is not None:
            yield Established(conversation)
        if serial and event.event == "BridgeEnter":
            yield PartyHeld(serial, calls.is_freed(bridge))

    def _in_phase(self, event: AmiMessage) -> Iterator[TelephonyEvent]:
        """The dialplan tells where a customer is."""
        customer, result = event["Uniqueid"], event["Result"]
        match event["Phase"]:
            case "out":
                self.service_calls.began(customer)
                yield TransferProgress(customer, TransferEvent.LEFT_AGENT)
            case "back":
                status = status_of(result, self.service_calls.ended(customer))
                yield TransferProgress(customer, returns_from(result), status)
            case "astray":
                yield TransferProgress(customer, TransferEvent.AGENT_LOST)
