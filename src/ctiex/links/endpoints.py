"""The endpoint strings that a link is opened by, from a client to its exchange or from the exchange to a service.

Twisted's own parsers read them, and raise what they like: here it is one error, which says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from ctiex.errors import ConfigurationError
from ctiex.links.peers import is_loopback
from ctiex.visible import visible

EXPECTED = "an endpoint such as tcp:HOST:PORT or tls:HOST:PORT"
_OVER_TCP = frozenset({"tcp", "tls", "ssl"})
_PARTS = re.compile(r"(?:[^:\\]|\\.)*", re.DOTALL)
_IN_BRACKETS = re.compile(r"(\w+):\[([0-9A-Fa-f:.]+)\]:(.*)", re.DOTALL)


@frozen
class Destination:
    """Where an endpoint string leads."""

    kind: str
    """``tcp``, ``tls``, ``unix`` or whatever stands in front, in small letters: Twisted takes any."""
    host: str = ""
    """The host of a kind that has one."""
    options: Mapping[str, str] = field(factory=dict)
    """What is given by name."""

    @property
    def is_local(self) -> bool:
        """Whether it leads nowhere but to this machine."""
        return self.kind == "unix" or is_loopback(self.host)


def read_destination(description: str) -> Destination:
    """Where an endpoint string leads, by what stands in it.

    :raise ConfigurationError: it isn't valid.
    """
    (_, kind), *parts = _split(description)
    kind = kind.lower()
    positional = [part for name, part in parts if not name]
    options = {name: part for name, part in parts if name}
    if kind not in _OVER_TCP:
        return Destination(kind, options=options)
    host = options.get("host", positional[0] if positional else "")
    port = options.get("port", positional[1] if len(positional) > 1 else "")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 0xFFFF):
        raise unusable(description)
    return Destination(kind, host, options)


def client_endpoint(reactor: Any, description: str) -> IStreamClientEndpoint:
    """The endpoint of a string.

    :raise ConfigurationError: it isn't valid, or a file that it names can't be read.
    """
    read_destination(description)
    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, description)
    except OSError as error:
        raise unusable(description, f"{error.filename or 'a file'}: {error.strerror or 'unreadable'}") from None
    except Exception as error:  # every endpoint parser raises what it likes
        found = "a certificate or key that can't be read" if type(error).__module__.startswith("OpenSSL") else ""
        raise unusable(description, found) from None
    return endpoint


def unusable(description: str, found: str = "", expected: str = EXPECTED) -> ConfigurationError:
    """The error that says what is wrong with an endpoint string.

    :param found: what was met, where that is known.
    """
    hint = ""
    bracketed = _IN_BRACKETS.fullmatch(description)
    if bracketed is not None:
        kind, address, rest = bracketed.groups()
        escaped = address.replace(":", r"\:")
        hint = rf"; the colons of an IPv6 address are written \: and it has no brackets: {kind}:{escaped}:{rest}"
    reason = f" ({found})" if found else ""
    return ConfigurationError(f'found "{visible(description)}"{reason}, expected {expected}{hint}')


def _split(description: str) -> list[tuple[str, str]]:
    """The parts between colons, each with its name, which is empty for one that has none."""
    parts: list[tuple[str, str]] = []
    at = 0
    while at <= len(description):
        found = _PARTS.match(description, at)
        assert found is not None, "it matches nothing at all as well"
        name, equals, value = found[0].partition("=")
        parts.append((name, _plain(value)) if equals else ("", _plain(name)))
        at = found.end() + 1
    return parts


def _plain(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)
