"""What is configured of signalling by Asterisk: ``[signalling.asterisk]``, and the keys of its services."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from attrs import field, frozen

from ctiex.errors import ConfigurationError
from ctiex.links.endpoints import check_address
from ctiex.settings.checks import Check, FileName, Seconds, Text

_INSTANCE = r"(?:-[0-9A-Fa-f]{8})(?:;[12])?"
"""What Asterisk puts behind the device in the name of a channel, as in ``Local/1001@in-0000002a;1``."""
_AGENT = r"(?P<agent>[0-9]+)"
_PLACE = re.compile(r"[^,\s]+,[^,\s]+,[^,\s]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_WORD = re.compile(r"[A-Za-z0-9_.+*#@/:-]+")
_UNSAFE = re.compile(r"[\x00-\x20,;$\"\x7f]")
"""What would end an argument, or be taken for something else, in a dialplan."""


def _is_dial(value: object) -> bool:
    return (
        isinstance(value, str)
        and "/" in value
        and not _UNSAFE.search(value)
        and "{" not in value.replace("{access_code}", "")
    )


def _is_device(placeholder: str) -> Callable[[object], bool]:
    def accept(value: object) -> bool:
        return value == "" or (
            isinstance(value, str)
            and "/" in value
            and value.count(placeholder) == 1
            and not _UNSAFE.search(value)
            and "{" not in value.replace(placeholder, "")
            and "&" not in value
        )

    return accept


def _is_queue_place(value: object) -> bool:
    return value == "" or (isinstance(value, str) and "{queue}" in value and bool(_PLACE.fullmatch(value)))


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and value.count("{agent}") == 1 and "/" in value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _one_or_more(expected: str, accepts: Callable[[Any], bool], least: int) -> Check:
    """Of a value that is one text, or a list of it."""

    def accept(value: Any) -> bool:
        return len(_listed(value)) >= least and all(map(accepts, _listed(value)))

    return Check(f"text such as {expected}, or a list of it", accept, convert=_listed)


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _is_endpoint(value: object) -> bool:
    if not _is_text(value):
        return False
    check_address(str(value))
    return True


def _read_secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"secret_file: {path} can't be read: {error}") from None
    if not secret or not secret.isprintable():
        raise ConfigurationError(f"secret_file: {path} holds no secret, expected one line of text")
    return secret


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


Endpoint = Annotated[str, Check('an endpoint such as "tcp:127.0.0.1:5038"', _is_endpoint)]
User = Annotated[str, Check("text of one line", _is_line, stand_in="-")]
Secret = Annotated[str, Check("text of one line", _is_line, secret=True)]
Dial = Annotated[str, Check('text such as "PJSIP/{access_code}@core"', _is_dial, stand_in="-/-")]
AgentDial = Annotated[str, Check('text such as "PJSIP/{agent}"', _is_device("{agent}"))]
NumberDial = Annotated[str, Check('text such as "PJSIP/{number}@core"', _is_device("{number}"))]
QueuePlace = Annotated[str, Check('text such as "queues,{queue},1"', _is_queue_place)]
Number = Annotated[
    str, Check("digits, * # +", lambda value: isinstance(value, str) and bool(re.fullmatch(r"[0-9*#+]{0,32}", value)))
]
Agents = Annotated[tuple[str, ...], _one_or_more('"PJSIP/{agent}"', _is_pattern, 1)]
Customers = Annotated[tuple[str, ...], _one_or_more('"PJSIP/trunk-"', _is_text, 0)]
LegPlace = Annotated[
    str,
    Check(
        '"context,extension,priority"', lambda value: value == "" or (_is_text(value) and bool(_PLACE.fullmatch(value)))
    ),
]
Context = Annotated[
    str, Check("the name of a context", lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)))
]


@frozen(kw_only=True)
class AsteriskSettings:
    """``[signalling.asterisk]``."""

    endpoint: Endpoint = "tcp:127.0.0.1:5038"
    """Where the manager interface is, as an endpoint of Twisted."""
    username: User
    """The user of ``manager.conf``."""
    secret: Secret = field(default="", repr=False)
    """Its secret; never sent, only a digest of it."""
    secret_file: FileName = ""
    """A file with the secret, in its place."""
    dial: Dial
    """How Asterisk dials a service, ``{access_code}`` where its access code goes: ``PJSIP/{access_code}@core``."""
    agents: Agents = ("PJSIP/{agent}",)
    """The devices of the agents, ``{agent}`` where their number stands, which is made of digits."""
    devices: Mapping[str, Text] = field(factory=dict)
    """Devices that don't show the agent's number so, each with it."""
    customers: Customers = ()
    """How the channels of customers begin; empty: whatever is no agent's, but for ``Local/``."""
    fallback: LegPlace = ""
    """``context,extension,priority`` for a customer whose agent has gone meanwhile; empty: the call ends."""
    ring: Seconds = 30
    """How long a service may take to answer the call, in seconds."""
    longest: Seconds = 3_600
    """How long a service may take once it has answered, in seconds."""
    answer_timeout: Seconds = 5
    """How long Asterisk may take to answer an action, in seconds."""
    forward_context: Context = "ctiex-forward"
    return_context: Context = "ctiex-return"
    hold_context: Context = "ctiex-hold"
    release_context: Context = "ctiex-release"

    agent_dial: AgentDial = "PJSIP/{agent}"
    """How the telephone of an agent is called, ``{agent}`` where the agent number goes."""
    number_dial: NumberDial = ""
    """How a number outside is called, ``{number}`` where it goes: ``PJSIP/{number}@core``; empty: none is."""
    queue_place: QueuePlace = ""
    """``context,extension,priority`` of a queue's callers, ``{queue}`` where its name goes; empty: no queue."""
    calling_number: Number = ""
    """The calling number that is shown outside where a call has none of its own."""
    answer_by_notify: bool = False
    """Whether telephones answer when they are told to by NOTIFY; that needs ``write = system``."""
    held_music: Context = "default"
    """The class of the music that is played to whoever is held."""
    held_longest: Seconds = 600
    """How long somebody may be held, in seconds; then they come back to the agent, or go to the fallback."""
    join_context: Context = "ctiex-join"
    """Where calls of queues go to agents whose telephone is off the hook."""

    def __attrs_post_init__(self) -> None:
        if bool(self.secret) == bool(self.secret_file):
            found = "both" if self.secret else "neither"
            raise ConfigurationError(f"secret: found {found}, expected one of secret and secret_file")
        self.shared_secret()

    def shared_secret(self) -> str:
        """The user's secret, read from its file where it stands in one.

        :raise ConfigurationError: the file can't be read any more.
        """
        return self.secret or _read_secret(self.secret_file)

    def agent_of(self, channel: str) -> str:
        """The agent number that a channel belongs to, by its name; empty if it is no agent's."""
        if self.customers and channel.startswith(self.customers):
            return ""
        device = re.sub(_INSTANCE + r"\Z", "", channel)
        if device in self.devices:
            return self.devices[device]
        for pattern in self.agents:
            before, _, after = pattern.partition("{agent}")
            found = re.fullmatch(re.escape(before) + _AGENT + re.escape(after), device)
            if found:
                return found["agent"]
        return ""

    def is_customer(self, channel: str) -> bool:
        """Whether a channel may be a customer's, by its name."""
        if self.customers:
            return channel.startswith(self.customers)
        return not channel.startswith("Local/") and not self.agent_of(channel)


@frozen(kw_only=True)
class AsteriskServiceSettings:
    """The keys of ``[services.NAME]`` with ``signalling = "asterisk"``; without them, those of the driver hold."""

    dial: Dial = ""
    ring: Seconds = 0
    longest: Seconds = 0


def dial_string(dial: str, access_code: str) -> str | None:
    """How Asterisk dials this access code; None for one that no dialplan takes."""
    return dial.replace("{access_code}", access_code) if _WORD.fullmatch(access_code) else None


def is_safe_number(carried: str) -> bool:
    """Whether a calling number goes through a dialplan and SIP as it is: digits, letters, ``+ * #``, or nothing."""
    return re.fullmatch(r"[0-9A-Za-z+*#]*", carried) is not None
