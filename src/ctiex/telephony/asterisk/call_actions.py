"""What Asterisk is asked to do with the legs of calls, as actions of its manager interface.

The contexts and variables are those of ``ctiex/telephony/dialplan/calls.conf``. A leg is named by its unique id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from urllib.parse import urlencode

from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    Confer,
    Connect,
    DestinationKind,
    Leg,
    OnAnswer,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.asterisk.settings import AsteriskSettings

DESK, HELD, CONNECT, CONFER = "ctiex-desk", "ctiex-held", "ctiex-connect", "ctiex-confer"
SEND, ASTRAY, SUPERVISE = "ctiex-send", "ctiex-astray", "ctiex-supervise"
RECORD, RECORDED, DIGITS = "ctiex-record", "ctiex-recorded", "ctiex-digits"
WATCHED = (
    "CTIEX_LEG", "CTIEX_CALL", "CTIEX_AGENT", "CTIEX_DESK", "CTIEX_AT_DESK", "CTIEX_PHONE_HOLD", "CTIEX_SUPERVISED",
    "CTIEX_SUPERVISION", "CTIEX_RECORDED", "CTIEX_RECORDING", "CTIEX_OWN_NUMBER",
)  # fmt: skip
"""The variables that tell, after a time without events, what a leg is."""
SET_BY_DIALPLAN = frozenset({"CTIEX_DESK", "CTIEX_DESK_CHANNEL", "CTIEX_PEER", "CTIEX_WITH"})
"""The dialplan itself changes these too."""
SUPERVISIONS = {Supervision.LISTEN: "", Supervision.WHISPER: "w", Supervision.BARGE: "B"}
_NUMBER = re.compile(r"[0-9*#+]{1,32}")
_DIGITS = re.compile(r"[0-9*#A-D]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,80}")


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    """What goes into an action or a dial string, and nothing else.

    :raise OrderRefused: it is something else.
    """
    if not pattern.fullmatch(text):
        raise OrderRefused(f"this can't be {what}")
    return text


def name(text: str) -> str:
    """An id, a name of a conference, a queue or a call."""
    return _checked(_NAME, text, "a name")


def number(text: str) -> str:
    """A number that is called or shown."""
    return _checked(_NUMBER, text, "a number")


# ---------------------------------------------------------------- where something is


def dial(destination: CallDestination, settings: AsteriskSettings) -> str:
    """How a destination is dialled.

    :raise OrderRefused: it is none that can be.
    """
    pattern, place = settings.agent_dial, "{agent}"
    if destination.kind is DestinationKind.NUMBER:
        pattern, place = settings.number_dial, "{number}"
    if not pattern or destination.kind is DestinationKind.QUEUE:
        raise OrderRefused("no way to call this is configured")
    return pattern.replace(place, number(destination.name))


def queue_place(queue: str, settings: AsteriskSettings) -> str:
    """Where a caller waits in a queue.

    :raise OrderRefused: that isn't configured.
    """
    if not settings.queue_place:
        raise OrderRefused("no place of queues is configured (queue_place)")
    return settings.queue_place.replace("{queue}", name(queue))


# ---------------------------------------------------------------- what a leg remembers


def memory(leg: Leg) -> str:
    """What can't be seen of a channel once it has left where it came from, in one variable; ``remembered`` reads it."""
    facts = {"by": leg.dialled_by, "out": "1" if leg.outbound else "", "queue": leg.queue, "number": leg.number}
    return urlencode({key: value for key, value in facts.items() if value})


def facts_of(leg: Leg, settings: AsteriskSettings) -> dict[str, str]:
    """What the dialplan, and the next snapshot, have to know of a leg that is moved."""
    return {
        "CTIEX_LEG": memory(leg),
        "__CTIEX_CALL": leg.call,
        "CTIEX_AGENT": leg.agent,
        "CTIEX_FALLBACK": settings.fallback,
        "CTIEX_LONGEST": str(ceil(settings.held_longest)),
        "CTIEX_MUSIC": settings.held_music,
    }


def set_variables(leg: str, variables: Mapping[str, str]) -> Iterator[Action]:
    """Have a channel remember something."""
    for key, value in variables.items():
        yield "Setvar", (("Channel", leg), ("Variable", key), ("Value", value))


# ---------------------------------------------------------------- actions


def redirect(leg: str, context: str, extension: str = "s") -> Action:
    """Send a leg to a place of the dialplan."""
    return "Redirect", (("Channel", leg), ("Context", context), ("Exten", extension), ("Priority", "1"))


def redirect_both(leg: str, context: str, other: str, other_context: str) -> Action:
    """Send two legs to places of the dialplan, both or none."""
    action, headers = redirect(leg, context)
    extra = (("ExtraChannel", other), ("ExtraContext", other_context), ("ExtraExten", "s"), ("ExtraPriority", "1"))
    return action, (*headers, *extra)


def hang_up(leg: str, cause: int) -> Action:
    """End a channel."""
    return "Hangup", (("Channel", leg), ("Cause", str(cause)))


def call(out: CallOut, settings: AsteriskSettings, name_of: Callable[[str], str]) -> Action:
    """Call a device.

    :param name_of: the name of the channel that a leg is, by its id.
    :raise OrderRefused: something of it can't be said.
    """
    context, own = _on_answer(out.on_answer, name_of)
    shown = out.shown or settings.calling_number
    leg = Leg(name(out.id), call=name(out.call), outbound=True)
    if out.destination.kind is DestinationKind.AGENT:
        leg.agent = out.destination.name
    else:
        leg.number = out.destination.name
    desk = {"CTIEX_DESK": name(out.desk) if out.desk else "", "CTIEX_DESK_CHANNEL": name_of(out.desk)}
    own.update({**desk, **facts_of(leg, settings)})
    return "Originate", (
        ("Channel", dial(out.destination, settings)),
        ("ChannelId", out.id),
        ("Context", context),
        ("Exten", "s"),
        ("Priority", "1"),
        ("Timeout", str(ceil(out.seconds * 1_000))),
        *([("CallerID", f"<{number(shown)}>")] if shown else []),
        ("Async", "true"),
        *_variables(own),
    )


def _on_answer(answered: OnAnswer, name_of: Callable[[str], str]) -> tuple[str, dict[str, str]]:
    match answered:
        case Connect(leg):
            return CONNECT, {"CTIEX_PEER": name_of(name(leg)), "CTIEX_CALLED": "yes"}
        case Confer(conference):
            return CONFER, {"CTIEX_CONFERENCE": name(conference), "CTIEX_CALLED": "yes"}
        case Supervise(leg, how):
            return SUPERVISE, {"CTIEX_SUPERVISED": name(leg), "CTIEX_SUPERVISION": SUPERVISIONS[how]}
        case ToDesk():
            return DESK, {}


def _variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Asterisk takes them apart at commas, but for those behind a backslash."""
    for key, value in variables.items():
        yield "Variable", f"{key}={value}".replace(",", "\\,")


def digits(leg: str, typed: str) -> Action:
    """Send digits to the device of a leg; another channel does it, so that nobody waits for the tones."""
    return _local(DIGITS, DIGITS, {"CTIEX_DIGITS": _checked(_DIGITS, typed, "digits"), "CTIEX_DIGITS_FOR": leg})


def record(leg: str, file: str) -> Action:
    """Have a channel without a device listen to a leg, and its other half write down what it hears."""
    variables = {"CTIEX_RECORDED": leg, "CTIEX_FILE": _checked(_FILE, file, "the name of a file")}
    return _local(RECORD, RECORDED, variables)


def _local(dialled: str, context: str, variables: Mapping[str, str]) -> Action:
    return "Originate", (
        ("Channel", f"Local/s@{dialled}/n"),
        ("Context", context),
        ("Exten", "s"),
        ("Priority", "1"),
        ("Async", "true"),
        *_variables(variables),
    )


def answer(leg: Leg, settings: AsteriskSettings) -> Action:
    """Tell a telephone to answer, outside of the call: one that doesn't know how ignores it."""
    device = CallDestination(DestinationKind.AGENT, leg.agent)
    endpoint = dial(device, settings).partition("/")[2]
    return "PJSIPNotify", (("Endpoint", endpoint), ("Variable", "Event=talk"))
