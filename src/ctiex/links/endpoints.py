"""The endpoint strings that a link is opened by, from a client to its exchange or from the exchange to a service.

Twisted's own parsers read them, and raise what they like: here it is one error, which says what was expected. What is
only read, or checked, is connected to nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.endpoints import _parse as split_endpoint
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver, IStreamClientEndpoint
from zope.interface import implementer

from ctiex.errors import ConfigurationError
from ctiex.extras import need
from ctiex.links.peers import is_loopback
from ctiex.visible import visible

EXPECTED = "an endpoint such as tcp:HOST:PORT or tls:HOST:PORT"
_OVER_TCP = frozenset({"tcp", "tls", "ssl"})
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
    try:
        (kind, *positional), options = split_endpoint(description)
    except (ValueError, RuntimeError):  # no kind, or a backslash with nothing behind it
        raise unusable(description) from None
    kind = kind.lower()
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


def unusable(description: str, found: str = "") -> ConfigurationError:
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
    return ConfigurationError(f'found "{visible(description)}"{reason}, expected {EXPECTED}{hint}')


@implementer(IReactorPluggableNameResolver)
class _NoReactor:
    """Stands in for a reactor while an endpoint string is only checked."""

    nameResolver: Any = None

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Nothing resolves names here."""
        return resolver


def check_address(address: str) -> None:
    """See that an endpoint string can be connected to, as far as that can be seen without doing it.

    :raise ConfigurationError: it isn't valid, or needs an extra that isn't installed.
    """
    if read_destination(address).kind in ("ssl", "tls"):
        need("tls", repr(address))
    client_endpoint(_NoReactor(), address)


def plain_host(address: str) -> str:
    """The host to which an endpoint string connects by plain TCP; empty if it does otherwise, or is invalid."""
    try:
        destination = read_destination(address)
    except ConfigurationError:
        return ""
    return destination.host if destination.kind == "tcp" else ""
