"""What is configured of signalling by Asterisk: ``[signalling.asterisk]``, and the keys of its services."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ctiex.errors import ConfigurationError
from ctiex.links.addresses import check_address

_INSTANCE = r"(?:-[0-9A-Fa-f]{8})(?:;[12])?"
"""What Asterisk puts behind the device in the name of a channel, as in ``Local/1001@in-0000002a;1``."""
_AGENT = r"(?P<agent>[0-9]+)"
_PLACE = re.compile(r"[^,\s]+,[^,\s]+,[^,\s]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_WORD = re.compile(r"[A-Za-z0-9_.+*#@/:-]+")
_UNSAFE = re.compile(r"[\x00-\x20,;$\"\x7f]")
"""What would end an argument, or be taken for something else, in a dialplan."""


@frozen(kw_only=True)
class AsteriskSettings:
    """``[signalling.asterisk]``, checked."""

    endpoint: str = "tcp:127.0.0.1:5038"
    """Where the manager interface is, as an endpoint of Twisted."""
    username: str
    """The user of ``manager.conf``."""
    secret: str = field(default="", repr=False)
    """Its secret; never sent, only a digest of it."""
    secret_file: str = ""
    """A file with the secret, in its place."""
    dial: str
    """How Asterisk dials a service, ``{access_code}`` where its access code goes: ``PJSIP/{access_code}@core``."""
    agents: tuple[str, ...] = ("PJSIP/{agent}",)
    """The devices of the agents, ``{agent}`` where their number stands, which is made of digits."""
    devices: Mapping[str, str] = field(factory=dict)
    """Devices that don't show the agent's number so, each with it."""
    customers: tuple[str, ...] = ()
    """How the channels of customers begin; empty: whatever is no agent's, but for ``Local/``."""
    fallback: str = ""
    """``context,extension,priority`` for a customer whose agent has gone meanwhile; empty: the call ends."""
    ring: float = 30
    """How long a service may take to answer the call, in seconds."""
    longest: float = 3_600
    """How long a service may take once it has answered, in seconds."""
    answer_timeout: float = 5
    """How long Asterisk may take to answer an action, in seconds."""
    forward_context: str = "ctiex-forward"
    return_context: str = "ctiex-return"
    hold_context: str = "ctiex-hold"
    release_context: str = "ctiex-release"

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


_Accepts = Callable[[Any], bool]
_TEXT: tuple[str, _Accepts] = ("text", lambda value: isinstance(value, str) and bool(value) and "\0" not in value)
_LINE: tuple[str, _Accepts] = ("text of one line", lambda value: isinstance(value, str) and value.isprintable())
_SECONDS: tuple[str, _Accepts] = (
    "a number of seconds above 0",
    lambda value: type(value) in (int, float) and isfinite(value) and value > 0,
)
_CONTEXT: tuple[str, _Accepts] = (
    "the name of a context",
    lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)),
)


def _is_dial(value: object) -> bool:
    return isinstance(value, str) and "/" in value and not _UNSAFE.search(value) and "{" not in _without_code(value)


def _without_code(dial: str) -> str:
    return dial.replace("{access_code}", "")


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and value.count("{agent}") == 1 and "/" in value


_ENDPOINT_EXPECTED = 'an endpoint such as "tcp:127.0.0.1:5038"'
_KEYS: Mapping[str, tuple[str, _Accepts]] = {
    "endpoint": (_ENDPOINT_EXPECTED, _TEXT[1]),
    "username": _LINE,
    "secret": _LINE,
    "secret_file": ("the path of a file", _TEXT[1]),
    "dial": ('text such as "PJSIP/{access_code}@core"', _is_dial),
    "agents": (
        'text such as "PJSIP/{agent}", or a list of it',
        lambda value: all(_is_pattern(one) for one in _listed(value)) and bool(_listed(value)),
    ),
    "devices": (
        'a table such as {"PJSIP/front-desk" = "1001"}',
        lambda value: isinstance(value, Mapping) and all(isinstance(one, str) and one for one in value.values()),
    ),
    "customers": (
        'text such as "PJSIP/trunk-", or a list of it',
        lambda value: all(isinstance(one, str) and one for one in _listed(value)),
    ),
    "fallback": (
        '"context,extension,priority"',
        lambda value: isinstance(value, str) and bool(_PLACE.fullmatch(value) or not value),
    ),
    "ring": _SECONDS,
    "longest": _SECONDS,
    "answer_timeout": _SECONDS,
    "forward_context": _CONTEXT,
    "return_context": _CONTEXT,
    "hold_context": _CONTEXT,
    "release_context": _CONTEXT,
}
"""Every key, with what is expected of it."""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def read_settings(table: Mapping[str, Any]) -> AsteriskSettings:
    """The settings in ``[signalling.asterisk]``.

    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    wrong = [*_wrong_keys(table)]
    if ("secret" in table) == ("secret_file" in table):
        wrong.append("secret: expected one of secret and secret_file")
    wrong += _wrong_endpoint(table.get("endpoint"))
    wrong += [f"{key}: missing, expected {_KEYS[key][0]}" for key in ("username", "dial") if key not in table]
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    values = dict(table)
    if "secret_file" in values:
        values["secret"] = _read_secret(values["secret_file"])
    for key in ("agents", "customers"):
        if key in values:
            values[key] = tuple(_listed(values[key]))
    return AsteriskSettings(**values)


def _wrong_endpoint(endpoint: object) -> list[str]:
    if not isinstance(endpoint, str) or not endpoint:
        return []  # the default, or told already
    try:
        check_address(endpoint)
    except ConfigurationError as error:
        return [f"endpoint: {error}"]
    return []


def _wrong_keys(table: Mapping[str, Any]) -> list[str]:
    wrong = []
    for key, value in table.items():
        if key not in _KEYS:
            wrong.append(f"{key}: found an unknown key, expected one of: {', '.join(sorted(_KEYS))}")
        elif not _KEYS[key][1](value):
            found = "a value (not shown)" if key == "secret" else repr(value)[:60]
            wrong.append(f"{key}: found {found}, expected {_KEYS[key][0]}")
    return wrong


def _read_secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"secret_file: {path} can't be read: {error}") from None
    if not secret or not secret.isprintable():
        raise ConfigurationError(f"secret_file: {path} holds no secret, expected one line of text")
    return secret


def check_service(settings: Mapping[str, Any]) -> None:
    """Check the keys of a service, all optional: ``dial``, ``ring`` and ``longest`` in place of the driver's own.

    :raise ConfigurationError: a key is unknown, or its value no good.
    """
    for key, value in settings.items():
        if key not in ("dial", "ring", "longest"):
            raise ConfigurationError(f"{key}: unknown key, expected dial, ring or longest")
        if not _KEYS[key][1](value):
            raise ConfigurationError(f"{key}: found {value!r}, expected {_KEYS[key][0]}")


def dial_string(dial: str, access_code: str) -> str | None:
    """How Asterisk dials this access code; None for one that no dialplan takes."""
    return dial.replace("{access_code}", access_code) if _WORD.fullmatch(access_code) else None


def is_safe_number(carried: str) -> bool:
    """Whether a calling number goes through a dialplan and SIP as it is: digits, letters, ``+ * #``, or nothing."""
    return re.fullmatch(r"[0-9A-Za-z+*#]*", carried) is not None
