"""What the tables of a configuration tell only together: what is wrong beside what, and what to be warned of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from ctiex.config.endpoints import read_endpoint
from ctiex.config.model import ConfiguredService, FileTables, IdentitySettings, LinkSettings
from ctiex.errors import ConfigurationError
from ctiex.identities import ANY_OWNER
from ctiex.limits import Limits
from ctiex.links.endpoints import plain_host
from ctiex.links.peers import is_loopback
from ctiex.login.checkers import CONFIGURED, canonical_name
from ctiex.services import BUILT_IN
from ctiex.settings.checks import is_short_text
from ctiex.settings.structuring import dotted
from ctiex.tls.endpoint import PREFIX as TLS_PREFIX

RULES = "rules"
"""The organizer that is built in, and used where none is named."""


def wrong_together(
    read: FileTables, tables: Mapping[str, Any], agent_listen: str | None, ivr_listen: str | None, demo: bool
) -> Iterator[str]:
    """Everything that is wrong with tables beside each other."""
    yield from _wrong_names(read)
    yield from _wrong_identities(read, tables.get("services"))
    yield from _wrong_certificates(read)
    yield from _unused_drivers(read)
    yield from _wrong_link("agent", read.links.agent, agent_listen, demo)
    if read.links.ivr.listen or ivr_listen:
        yield from _wrong_link("ivr", read.links.ivr, ivr_listen, demo)
    else:
        yield from _needing_the_ivr_link(read.services)
    if read.metrics.listen:
        yield from _wrong_listening("metrics.listen", read.metrics.listen)
    yield from _wrong_voice(read)
    yield from _wrong_limits(read.limits)


_EACH_FITS_IN_THE_NEXT = ("end_bytes", "mailbox_bytes", "bytes_per_identity", "bytes_in_all")
"""The room for one end, for the mailbox that it goes to, for the identity of that mailbox, and for all identities."""


def _wrong_limits(limits: Limits) -> Iterator[str]:
    """Room in which no call would fit."""
    for inner, outer in pairwise(_EACH_FITS_IN_THE_NEXT):
        least, found = getattr(limits, inner), getattr(limits, outer)
        if found < least:
            yield f"limits.{outer}: found {found}, expected at least limits.{inner}, which is {least}"


_FOLLOWS = (
    (re.compile(r"signalling\.[^:]*: found settings of"), re.compile(r"services(\.[^:]*\.signalling)?: ")),
    (re.compile(r"identities\.[^:]*: found neither"), re.compile(r"login(\.checker)?: ")),
    (re.compile(r"identities\.[^:]*: found (agents|services) with"), re.compile(r"identities\.[^:]*\.role: ")),
    (re.compile(r"identities\.[^:]*: found the unknown service"), re.compile(r"services: ")),
)
"""Errors that disappear once another one is corrected: how the one begins, and the other."""


def not_following(before: list[str], lines: Iterable[str]) -> list[str]:
    """Those lines that say more than the ones before, which tell what is wrong with single keys."""
    keys = [line.partition(": ")[0] for line in before]
    return [line for line in lines if not _follows(line, keys, before)]


def _follows(line: str, keys: list[str], before: list[str]) -> bool:
    own = line.partition(": ")[0]
    proofs = {f"{own}.{proof}" for proof in ("secret", "secret_hash", "certificate")}
    if any(own == key or own.startswith(f"{key}.") or key in proofs for key in keys):
        return True
    return any(follower.match(line) and any(leader.match(each) for each in before) for follower, leader in _FOLLOWS)


def _wrong_names(read: FileTables) -> Iterator[str]:
    for table, names in (("identities", read.identities), ("services", read.services)):
        for name in names:
            if not is_short_text(name):
                yield f"{dotted(table, name[:40])}: found an invalid name, expected text of 1 to 255 bytes"
    if ANY_OWNER in read.identities:
        yield f"{dotted('identities', ANY_OWNER)}: found a reserved name, expected another one"


def _wrong_identities(read: FileTables, services: object) -> Iterator[str]:
    """:param services: the table of them as it is in the file; errors in one are reported elsewhere."""
    known = {*read.services, *(services if isinstance(services, dict) else ())}
    for name, identity in read.identities.items():
        key = dotted("identities", name)
        yield from _wrong_proof(key, identity, read.login.checker)
        other = "services" if identity.role == "agent" else "agents"
        if getattr(identity, other):
            yield f"{key}.{other}: found {other} with role {identity.role!r}, expected none in this role"
        names = ", ".join(sorted(known)) or "none, as [services] is empty"
        for service in identity.services:
            if service not in known:
                yield f'{key}.services: found the unknown service "{service}", expected one of: {names}'


def _wrong_proof(key: str, identity: IdentitySettings, checker: str) -> Iterator[str]:
    if identity.secret and identity.secret_hash:
        yield f"{key}: found both secret and secret_hash, expected one of them"
    elif not (identity.secret or identity.secret_hash or identity.certificate) and checker == CONFIGURED:
        yield f"{key}: found neither secret nor secret_hash, expected one of them, or a certificate"


def _wrong_certificates(read: FileTables) -> Iterator[str]:
    owners: dict[str, str] = {}
    for name, identity in read.identities.items():
        if identity.certificate:
            owner = owners.setdefault(canonical_name(identity.certificate), name)
            if owner != name:
                yield (
                    f'{dotted("identities", name, "certificate")}: found "{identity.certificate}", expected a name'
                    f" that no other identity has ({owner})"
                )


def _wrong_listening(key: str, listen: str) -> Iterator[str]:
    try:
        read_endpoint(listen)
    except ConfigurationError as error:
        yield f"{key}: {error}"


def _wrong_link(link: str, settings: LinkSettings, override: str | None, demo: bool) -> Iterator[str]:
    key, listen = (f"links.{link}.listen", settings.listen) if override is None else (f"--{link}-listen", override)
    try:
        listening = read_endpoint(listen)
    except ConfigurationError as error:
        yield f"{key}: {error}"
        return
    if demo and not listening.local:
        yield (
            f'{key}: found "{listen}", which listens beyond loopback, expected'
            " interface=127.0.0.1 while the demo identities are in use: their secrets are public;"
            " name your own under [identities]"
        )
    elif listening.plain and settings.plain_secrets != "allowed":
        yield (
            f'{key}: found "{listen}", plain TCP beyond loopback, where anyone on the network path can read everything,'
            f" expected {TLS_PREFIX}:PORT:certificate=FILE:key=FILE, or interface=127.0.0.1;"
            f' plain_secrets = "allowed" in [links.{link}] says that the network is trusted'
        )


def _wrong_voice(read: FileTables) -> Iterator[str]:
    yield from _wrong_listening("voice.listen", read.voice.listen)
    for path, service in read.voice.services.items():
        if service not in BUILT_IN:
            yield (
                f'{dotted("voice", "services", path)}: found the unknown service "{service}",'
                f" expected one of: {', '.join(sorted(BUILT_IN))}"
            )


def _unused_drivers(read: FileTables) -> Iterator[str]:
    used = {service.signalling for service in read.services.values()}
    for name in read.signalling:
        if name not in used:
            yield (
                f"{dotted('signalling', name)}: found settings of a driver that no service uses, expected one of:"
                f" {', '.join(sorted(used))}"
            )


def _needing_the_ivr_link(services: Mapping[str, ConfiguredService]) -> Iterator[str]:
    for name, service in services.items():
        if service.signalling in ("link", "dial"):
            yield (
                f'{dotted("services", name)}.signalling: found "{service.signalling}", which needs the IVR link,'
                " expected a driver of the application, as links.ivr.listen is empty"
            )


def seeing_everything(read: FileTables, tables: Mapping[str, Any]) -> Iterator[str]:
    """A warning for each service that gets every field that agents send, without a ``keep`` that says so."""
    for name, service in read.services.items() if "services" in tables else ():
        if service.request.organizer == RULES and "keep" not in service.request.settings:
            yield (
                f"{dotted('services', name, 'request')} has no keep: the service sees every field that agents send;"
                ' keep = ["*"] says that it may'
            )


def _dialled_in_clear(read: FileTables) -> Iterator[str]:
    """A warning for each service that is dialled where others can listen."""
    for name, service in read.services.items():
        host = plain_host(str(service.settings.get("address"))) if service.signalling == "dial" else ""
        if host and not is_loopback(host):
            yield (
                f'{dotted("services", name, "address")}: "{service.settings["address"]}" is plain TCP'
                " beyond loopback: anyone on the network can read"
                " the customer's number and the serial; tls:HOST:PORT hides them"
            )


def warnings_of(read: FileTables, demo: bool) -> Iterator[str]:
    if demo:
        yield (
            f"the demo identities {' and '.join(read.identities)} are in use; their secrets are public:"
            " name your own under [identities]"
        )
    else:
        for name, identity in read.identities.items():
            if identity.secret:
                yield (
                    f"{dotted('identities', name, 'secret')} is in plain text; `ctiex passwd` makes a secret_hash of it"
                )
    if read.metrics.listen and not read_endpoint(read.metrics.listen).local:
        yield (
            f'metrics.listen: "{read.metrics.listen}" listens beyond loopback and asks for no login:'
            " make sure that only your monitoring can reach it"
        )
    served = {service for identity in read.identities.values() for service in identity.services}
    for service in read.services:
        if service not in served:
            yield f"no identity names the service {service!r}: no automatic service can take its calls"
    yield from _dialled_in_clear(read)
