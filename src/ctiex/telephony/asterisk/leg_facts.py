"""What single headers and variables of Asterisk say of a leg."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field

from ctiex.interfaces.call_platform import CallOut, Leg, LegPlace, LegState, RecordingState, Supervision
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.call_actions import RECORD, SUPERVISIONS

HIDDEN = "Local/"
"""How channels begin that have no device: no legs, but for configured customers."""
_HANDED_OVER = "ctiex-"
_OF_OURS = {"ctiex-desk-": LegPlace.DESK, "ctiex-held-": LegPlace.HOLD}
_BUSY, _NO_ANSWER, _NO_SUCH_DESTINATION, _OUT_OF_SERVICE = 63, 64, 65, 66
_IS_NUMBER = re.compile(r"[0-9*#+]")
_CALLED_OFF = (0, 16, 26)
_STATUSES = {
    **dict.fromkeys((17, 21), _BUSY),
    **dict.fromkeys((1, 2, 3, 22, 28), _NO_SUCH_DESTINATION),
    **dict.fromkeys((20, 27, 29, 34, 38, 41, 42, 44, 50, 58), _OUT_OF_SERVICE),
}
"""By cause value of ITU-T Q.850, why a device wasn't reached."""


@define
class Channel:
    """What is known of a channel beside its leg."""

    id: str
    name: str
    called: CallOut | None = None
    """The order that it was called by."""
    dialled_by: str = ""
    """The channel that dials it, which may have no device itself."""
    untold: bool = False
    """Whether it was dialled, and by whom isn't known yet."""
    bridge: str = ""
    """The id of the platform's bridge that it is in."""
    was_bridged: bool = False
    rang: bool = False
    requested: bool = False
    """Whether its device has hung up."""
    told: dict[str, str] = field(factory=dict)
    """The variables that it was told, as far as nobody else changes them."""
    phase: str = ""
    """Where its last hand-off is: ``out``, ``back``, ``astray``."""


def number_of(event: AmiMessage, header: str = "CallerIDNum") -> str:
    """A number; empty where there is none, such as that of an extension with a name."""
    return event[header] if _IS_NUMBER.match(event[header]) else ""


def state_of(event: AmiMessage) -> LegState | None:
    """How far a channel is; None: that says nothing."""
    return {"5": LegState.ALERTING, "6": LegState.CONNECTED}.get(event["ChannelState"])


def cause_of(event: AmiMessage) -> int:
    """A cause value, 0 where there is none."""
    return int(event["Cause"]) if event["Cause"].isdecimal() else 0


def status_of(cause: int, rang: bool) -> int:
    """Why a device that was called wasn't reached."""
    return _STATUSES.get(cause, _NO_ANSWER if rang else _OUT_OF_SERVICE)


def where(bridge: AmiMessage, channel: Channel) -> dict[str, Any]:
    """Where a leg is that is in this bridge, as changes of it; the bridge is told by BridgeEnter or BridgeListItem."""
    id, name = bridge["BridgeUniqueid"], bridge["BridgeName"]
    for prefix, place in _OF_OURS.items():
        if name.startswith(prefix):
            return {"place": place, "bridge": id, "service": ""}
    if bridge["BridgeCreator"] == "ConfBridge":
        return {"place": LegPlace.CONFERENCE, "bridge": name, "service": ""}
    if bridge["BridgeType"] not in ("", "basic"):
        serial = name.removeprefix(_HANDED_OVER) if name.startswith(_HANDED_OVER) else ""
        return {
            "place": LegPlace.SERVICE if serial else LegPlace.NOWHERE,
            "bridge": id if serial else "",
            "service": serial,
        }
    if channel.phase == "out":
        return {"place": LegPlace.SERVICE, "bridge": id}
    return {"place": LegPlace.BRIDGE, "bridge": id, "service": ""}


def remembered(variables: dict[str, str]) -> dict[str, Any]:
    """What a leg was when it was moved last, as changes of it: the other way round of ``call_actions.memory``."""
    facts = dict(parse_qsl(variables.get("CTIEX_LEG", "")))
    changes: dict[str, Any] = {}
    if facts:
        changes = {
            "dialled_by": facts.get("by", ""),
            "outbound": "out" in facts,
            "queue": facts.get("queue", ""),
            "number": facts.get("number", ""),
        }
    changes["desk"] = variables.get("CTIEX_DESK", "")
    changes["held_at_phone"] = variables.get("CTIEX_PHONE_HOLD") == "yes"
    if variables.get("CTIEX_CALL"):
        changes["call"] = variables["CTIEX_CALL"]
    paused = variables.get("CTIEX_RECORDING") == "paused"
    changes["recording"] = RecordingState.PAUSED if paused else RecordingState.OFF
    return changes


def is_recorder(name: str) -> bool:
    """Whether a channel is half of one that records."""
    return name.startswith(f"{HIDDEN}s@{RECORD}-")


def is_by_platform(leg: Leg, channel: Channel, cause: int) -> bool:
    """Whether the platform has ended a leg, and not its device: who rings may be called off, or reject."""
    if leg.outbound and leg.state is not LegState.CONNECTED:
        return cause in _CALLED_OFF
    return not channel.requested


def supervision_of(text: str) -> Supervision:
    """How a supervisor takes part, from the option of ``ChanSpy``."""
    return {option: how for how, option in SUPERVISIONS.items()}.get(text, Supervision.LISTEN)
