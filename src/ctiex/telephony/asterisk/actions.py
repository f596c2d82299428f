"""What Asterisk is asked to do with a conversation, as actions of its manager interface. The dialplan does the rest.

The contexts and variables are those of ``ctiex/telephony/dialplan/platform-1.conf``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

from ctiex.interfaces import Offer
from ctiex.interfaces.telephony import Conversation, Party
from ctiex.telephony.asterisk.ami import AmiError, encode_action
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings, dial_string, is_safe_number

Action = tuple[str, tuple[tuple[str, str], ...]]
"""The name of an action, and its headers."""

WATCHED = (
    "CTIEX_SERIAL", "CTIEX_PHASE", "CTIEX_RESULT", "CTIEX_CAUSE", "CTIEX_AGENT_CHANNEL", "CTIEX_TALK",
    "CTIEX_TALK_AGENT",
)  # fmt: skip
"""The variables that tell, after a time without events, where everybody is."""


def list_channels(more: tuple[str, ...] = ()) -> Action:
    """Asks for every channel, with these variables and others."""
    return "Status", (("Variables", ",".join((*WATCHED, *more))),)


LIST_CHANNELS = list_channels()
LIST_BRIDGES: Action = "BridgeList", ()
"""Asks for every bridge, with its kind."""
MOST_HEADERS = 4
"""How many SIP header fields a call may be sent with."""
_HOLD_LONGER = 60
"""How much longer than anything may take an agent is held, in seconds."""
_LONGEST_RING = 3_600.0


def move(
    conversation: Conversation, offer: Offer, settings: AsteriskSettings, own: AsteriskServiceSettings, now: float
) -> tuple[Action, ...]:
    """Send the customer to the service, and put the agent on hold.

    :param own: the service's own keys.
    :param now: the time, in seconds of the clock.
    :raise AmiError: something in the offer doesn't go through a dialplan.
    """
    dial = dial_string(own.dial or settings.dial, offer.connection.access_code)
    if dial is None:
        raise AmiError(f"the access code {offer.connection.access_code!r} isn't valid in a dialplan")
    ring = min(own.ring or settings.ring, max(1.0, offer.deadline - now), _LONGEST_RING)
    longest = own.longest or settings.longest
    variables = {
        "CTIEX_PHASE": "moving",
        "CTIEX_RESULT": "",
        "CTIEX_SERIAL": offer.serial,
        "CTIEX_AGENT_CHANNEL": conversation.agent_party.name,
        "CTIEX_CARRIED": _carried(offer),
        "CTIEX_DIAL": dial,
        "CTIEX_RING": str(ceil(ring)),
        "CTIEX_LONGEST": str(ceil(longest)),
        "CTIEX_FALLBACK": settings.fallback,
        **_headers(offer.signalled.headers),
    }
    held = {"CTIEX_SERIAL": offer.serial, "CTIEX_HOLD": str(ceil(ring + longest) + _HOLD_LONGER)}
    actions = (
        *set_variables(conversation.customer, variables),
        *set_variables(conversation.agent_party, held),
        _redirect_both(conversation, settings),
    )
    for action in actions:  # all or none: what can't be said must not leave a customer half prepared
        encode_action(*action)
    return actions


def _carried(offer: Offer) -> str:
    """The calling number that the call is sent with, with the customer's own number left out where it can't go."""
    carried = offer.signalled.calling_number
    if not is_safe_number(carried):
        carried = carried.removeprefix(offer.calling_number)  # a carrier puts the serial behind it
    if not is_safe_number(carried):
        raise AmiError("what the carrier appends to the calling number contains characters other than digits and + * #")
    return carried


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Variables that the call to the service inherits; those of an earlier call are emptied."""
    if len(headers) > MOST_HEADERS:
        raise AmiError(f"{len(headers)} SIP header fields: at most {MOST_HEADERS} go with a call")
    pairs = [*headers.items(), *[("", "")] * (MOST_HEADERS - len(headers))]
    return {
        f"_CTIEX_HEADER_{number}{what}": text
        for number, pair in enumerate(pairs, 1)
        for what, text in zip(("_NAME", ""), pair, strict=True)
    }


def set_variables(party: Party, variables: Mapping[str, str]) -> Iterator[Action]:
    """Have a channel remember something, for the dialplan or for the next snapshot."""
    for name, value in variables.items():
        yield "Setvar", (("Channel", party.name), ("Variable", name), ("Value", value))


def _redirect_both(conversation: Conversation, settings: AsteriskSettings) -> Action:
    return "Redirect", (
        ("Channel", conversation.customer.name),
        ("Context", settings.forward_context),
        ("Exten", "s"),
        ("Priority", "1"),
        ("ExtraChannel", conversation.agent_party.name),
        ("ExtraContext", settings.hold_context),
        ("ExtraExten", "s"),
        ("ExtraPriority", "1"),
    )


def redirect(party: Party, context: str) -> Action:
    """Send a channel to the beginning of a context, out of whatever it is in."""
    return "Redirect", (("Channel", party.name), ("Context", context), ("Exten", "s"), ("Priority", "1"))
