"""The files and sockets that a configuration names, beside certificates: whether they can be used, before the start."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from twisted.internet.abstract import isIPv6Address

from ctiex.config.endpoints import Listening, read_endpoint
from ctiex.config.model import Configuration, StoreSettings
from ctiex.errors import ConfigurationError
from ctiex.file_modes import wide_mode
from ctiex.places import why_not_made, why_not_written
from ctiex.settings.structuring import structure_good_part
from ctiex.stores.sqlite_settings import BESIDE, SqliteSettings

_ADDRESSES = {"": "0.0.0.0", "localhost": "127.0.0.1"}
"""What Twisted listens at where an interface is no address."""
_IN_USE = "is in use: the exchange can't start until it is free"


def wrong_files(configuration: Configuration) -> list[str]:
    """A line for each audit log or socket that can't stand where it is to stand, or listens where another one does."""
    return [*_wrong_audit(configuration), *_wrong_sockets(configuration), *_doubled(configuration)]


def check_ports(configuration: Configuration) -> tuple[list[str], list[str]]:
    """Open each TCP port that is to be listened at, and close it again.

    :return: a line for each that can't be used at all, and a warning for each that is in use now, maybe by the
        exchange that is to be restarted.
    """
    errors: list[str] = []
    warnings: list[str] = []
    for key, where in _listening(configuration):
        try:
            _try_port(where)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                warnings.append(f'{key}: "{where.description}" {_IN_USE}')
            else:
                errors.append(f'{key}: found "{where.description}", which can\'t be bound: {error.strerror or error}')
    return errors, warnings


def wide_files(configuration: Configuration) -> Iterator[str]:
    """A warning for each file that others may read or change, and shouldn't."""
    if configuration.audit.file and (who := wide_mode(configuration.audit.file)):
        yield f"audit.file: {configuration.audit.file} exists, and {who} may read or change it"
    source = configuration.source
    if source and _has_secrets(configuration) and (who := wide_mode(source)):
        yield f"{source} has secrets in plain text, and {who} may read or change it: chmod 600 {source}"


def _has_secrets(configuration: Configuration) -> bool:
    of_identities = any(isinstance(known.secret, str) for known in configuration.identities.values())
    of_drivers = any("secret" in table for table in configuration.signalling.values())
    return of_drivers or (of_identities and not configuration.demo_identities)


def _wrong_audit(configuration: Configuration) -> Iterator[str]:
    file = configuration.audit.file
    if file and (why := why_not_written(file)):
        yield f"audit.file: {file} {why}"
    for key, other in _files_of_store(configuration.store) if file else ():
        if _same(Path(file), other):
            yield f"audit.file: found {file}, which {key} uses, expected a file of its own"


def _files_of_store(store: StoreSettings) -> Iterator[tuple[str, Path]]:
    """The files of the store that is built in, each with the key that names it or what it is beside."""
    if store.kind != "sqlite":
        return
    files, _ = structure_good_part(store.settings, SqliteSettings)
    if files is None:
        return
    yield "store.key_file", Path(files.key_file)
    for beside in ("", *BESIDE):
        yield "store.path", Path(f"{files.path}{beside}")


def _same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, there or not."""
    try:
        return os.path.realpath(one) == os.path.realpath(other) or os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _listening(configuration: Configuration) -> Iterator[tuple[str, Listening]]:
    """Where the exchange is to listen, as far as it can be read."""
    for key, listen in configuration.listening.items():
        with suppress(ConfigurationError):  # told elsewhere
            yield key, read_endpoint(listen)


def _wrong_sockets(configuration: Configuration) -> Iterator[str]:
    for key, where in _listening(configuration):
        if where.path is None or where.path.startswith("\0"):
            continue
        try:
            there = stat.S_ISSOCK(os.stat(where.path).st_mode)
        except FileNotFoundError:
            there = True
        except (OSError, ValueError) as error:
            yield f"{key}: {where.path} can't be used: {getattr(error, 'strerror', None) or error}"
            continue
        if not there:
            yield f"{key}: {where.path} isn't a socket, expected a socket or a name that is free"
        elif why := why_not_made(where.path):
            yield f"{key}: {where.path} {why}"


def _doubled(configuration: Configuration) -> Iterator[str]:
    before: dict[str, Listening] = {}
    for key, where in _listening(configuration):
        for other_key, other in before.items():
            if _meet(where, other):
                yield f'{key}: found "{where.description}", where {other_key} listens, expected a place of its own'
        before[key] = where


def _meet(one: Listening, other: Listening) -> bool:
    """Whether two can't listen beside each other."""
    if one.path is not None or other.path is not None:
        return one.path == other.path
    if one.interface is None or other.interface is None or one.port != other.port or one.port == 0:
        return False
    here, there = _address(one.interface), _address(other.interface)
    if here is None or there is None:
        return one.interface == other.interface
    return here == there or _takes(here, there) or _takes(there, here)


def _address(interface: str) -> IPv4Address | IPv6Address | None:
    """The address that an interface is listened at by; None for a name that only the system knows."""
    try:
        return ip_address(_ADDRESSES.get(interface, interface))
    except ValueError:
        return None


def _takes(everywhere: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address) -> bool:
    """Whether a listener at the first address, if that means all, has the other as well: IPv6's takes IPv4, too."""
    return everywhere.is_unspecified and (everywhere.version == 6 or other.version == 4)


def _try_port(where: Listening) -> None:
    """:raise OSError: the port can't be bound."""
    if where.interface is None or not where.port:
        return
    with socket.socket(socket.AF_INET6 if isIPv6Address(where.interface) else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((where.interface, where.port))
        tried.listen(1)
