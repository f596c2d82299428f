"""The configuration of an exchange: a TOML file, or defaults that run on loopback.

Every error of a file is reported at once, a line each: file, key, what was found, what was expected.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from ctiex.app.config_model import (
    Configuration,
    ConfiguredService,
    FileTables,
    IdentitySettings,
    LinkSettings,
    failure_of,
    is_short_text,
)
from ctiex.app.config_reading import dotted, structure
from ctiex.app.listening import advertised_address, is_loopback, read_endpoint
from ctiex.app.tls.endpoint import PREFIX as TLS_PREFIX
from ctiex.errors import ConfigurationError
from ctiex.links.checkers import CONFIGURED, canonical_name
from ctiex.links.credentials import KnownIdentity
from ctiex.links.secret_hashes import SecretHash
from ctiex.messages import Role
from ctiex.processing.identities import ANY_OWNER, AgentNumbers, Identity
from ctiex.services import BUILT_IN
from ctiex.signalling.addresses import plain_host

__all__ = ["Configuration", "exchange_address", "load", "parse"]

DEMO_SECRET = "demo"
DEMO_SERVICES: Mapping[str, Any] = {
    "number-broadcast": {"access_code": "7001"},
    "bill-broadcast": {"access_code": "7002", "request": {"secret": ["account"]}},
    "password-authentication": {"access_code": "7000", "request": {"secret": ["account"]}},
}
"""The built-in services, for a file that has no ``[services]``; as such a file would say it."""

RULES = "rules"
"""The organizer that is built in, and used where none is named."""

_ROLES = {"agent": Role.AGENT, "service": Role.SERVICE}


def load(path: str | None = None, agent_listen: str | None = None, ivr_listen: str | None = None) -> Configuration:
    """The configuration in a file; the built-in one where there is no file.

    :param agent_listen: an endpoint string in place of the agent link's own.
    :param ivr_listen: an endpoint string in place of the IVR link's own.
    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    return parse({} if path is None else _read(path), path, agent_listen, ivr_listen)


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: found bytes that are no UTF-8 at {error.start}, expected TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: found no valid TOML: {error}") from None


def parse(
    tables: Mapping[str, Any],
    source: str | None = None,
    agent_listen: str | None = None,
    ivr_listen: str | None = None,
) -> Configuration:
    """The configuration in the tables of a TOML file, checked.

    :param source: the file's name, for errors.
    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    demo = "identities" not in tables
    read, errors = structure(_with_demo_services(tables), FileTables)
    if read is None:
        raise failure_of(errors, source)
    if demo:
        read = evolve(read, identities=_demo_identities(read.services))
    agent_link, ivr_link = read.links.agent, read.links.ivr
    errors = [*_wrong_names(read), *_wrong_identities(read), *_wrong_certificates(read), *_unused_drivers(read)]
    errors += _wrong_link("agent", agent_link, agent_listen, demo)
    if ivr_link.listen or ivr_listen:
        errors += _wrong_link("ivr", ivr_link, ivr_listen, demo)
    else:
        errors += _needing_the_ivr_link(read.services)
    if read.metrics.listen:
        errors += _wrong_listening("metrics.listen", read.metrics.listen)
    errors += _wrong_voice(read)
    if errors:
        raise failure_of(errors, source)
    return Configuration(
        exchange=read.exchange,
        agent_link=evolve(agent_link, listen=agent_listen or agent_link.listen),
        ivr_link=evolve(ivr_link, listen=ivr_listen or ivr_link.listen),
        store=read.store,
        carrier=read.carrier,
        signalling=dict(read.signalling),
        voice=read.voice,
        metrics=read.metrics,
        audit=read.audit,
        limits=read.limits,
        login=read.login,
        identities={name: _known(name, settings) for name, settings in read.identities.items()},
        services=dict(read.services),
        source=source,
        demo_identities=demo,
        warnings=(*_warnings(read, demo), *(_seeing_everything(read) if "services" in tables else ())),
    )


def exchange_address(configuration: Configuration) -> str:
    """The address that services are told: the configured one, or where the IVR link listens, if it does."""
    listen = configuration.ivr_link.listen
    return configuration.exchange.address or (advertised_address(listen) if listen else "")


def _with_demo_services(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    return tables if "services" in tables else {**tables, "services": DEMO_SERVICES}


def _demo_identities(services: Mapping[str, ConfiguredService]) -> Mapping[str, IdentitySettings]:
    return {
        "agent-demo": IdentitySettings(role="agent", secret=DEMO_SECRET, agents=("*",)),
        "service-demo": IdentitySettings(role="service", secret=DEMO_SECRET, services=tuple(services)),
    }


def _known(name: str, settings: IdentitySettings) -> KnownIdentity:
    agents, services = AgentNumbers.parse(settings.agents), frozenset(settings.services)
    secret = SecretHash.parse(settings.secret_hash) if settings.secret_hash else settings.secret or None
    return KnownIdentity(Identity(name, _ROLES[settings.role], agents, services), secret, settings.certificate)


# ---------------------------------------------------------------- what one table can't tell alone


def _wrong_names(read: FileTables) -> Iterator[str]:
    for table, names in (("identities", read.identities), ("services", read.services)):
        for name in names:
            if not is_short_text(name):
                yield f"{dotted(table, name[:40])}: found a name of no use, expected text of 1 to 255 bytes"
    if ANY_OWNER in read.identities:
        yield f"{dotted('identities', ANY_OWNER)}: found a name that stands for everybody, expected another one"


def _wrong_identities(read: FileTables) -> Iterator[str]:
    for name, identity in read.identities.items():
        key = dotted("identities", name)
        yield from _wrong_proof(key, identity, read.login.checker)
        other = "services" if identity.role == "agent" else "agents"
        if getattr(identity, other):
            yield f"{key}.{other}: found {other} with role {identity.role!r}, expected none in this role"
        known = ", ".join(sorted(read.services)) or "none, as [services] is empty"
        for service in identity.services:
            if service not in read.services:
                yield f'{key}.services: found the unknown service "{service}", expected one of: {known}'


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
                key = dotted("identities", name, "certificate")
                yield f'{key}: found "{identity.certificate}", expected a name that no other identity has ({owner})'


def _wrong_listening(key: str, listen: str) -> Iterator[str]:
    try:
        read_endpoint(listen)
    except ConfigurationError as error:
        yield f"{key}: {error}"


def _wrong_link(link: str, settings: LinkSettings, override: str | None, demo: bool) -> Iterator[str]:
    key, listen = (f"links.{link}.listen", settings.listen) if override is None else (f"--{link}-listen", override)
    wrong = list(_wrong_listening(key, listen))
    yield from wrong
    if wrong:
        return
    listening = read_endpoint(listen)
    if demo and not listening.local:
        yield (
            f'{key}: found "{listen}", which listens beyond loopback, expected'
            " interface=127.0.0.1 as long as the demo identities are in use: everybody knows their secret;"
            " name your own under [identities]"
        )
    elif listening.plain and settings.plain_secrets != "allowed":
        yield (
            f'{key}: found "{listen}", plain TCP beyond loopback, where whoever stands on the way reads everything,'
            f" expected {TLS_PREFIX}:PORT:certificate=FILE:key=FILE, or interface=127.0.0.1;"
            f' plain_secrets = "allowed" in [links.{link}] says that the network is trusted'
        )


def _wrong_voice(read: FileTables) -> Iterator[str]:
    yield from _wrong_listening("voice.listen", read.voice.listen)
    for path, service in read.voice.services.items():
        if service not in BUILT_IN:
            key = dotted("voice", "services", path)
            yield f'{key}: found the unknown service "{service}", expected one of: {", ".join(sorted(BUILT_IN))}'


def _unused_drivers(read: FileTables) -> Iterator[str]:
    used = {service.signalling for service in read.services.values()}
    for name in read.signalling:
        if name not in used:
            key = dotted("signalling", name)
            yield f"{key}: found settings of a driver that no service names, expected one of: {', '.join(sorted(used))}"


def _needing_the_ivr_link(services: Mapping[str, ConfiguredService]) -> Iterator[str]:
    for name, service in services.items():
        if service.signalling in ("link", "dial"):
            yield (
                f'{dotted("services", name)}.signalling: found "{service.signalling}", which needs the IVR link,'
                " expected a driver of the application, as links.ivr.listen is empty"
            )


def _seeing_everything(read: FileTables) -> Iterator[str]:
    """A warning for each service that gets whatever its callers' agents send, and nobody said so in the file."""
    for name, service in read.services.items():
        if service.request.organizer == RULES and "keep" not in service.request.settings:
            key = dotted("services", name, "request")
            yield f'{key} has no keep: the service sees every field that agents send; keep = ["*"] says that it may'


def _dialled_in_clear(read: FileTables) -> Iterator[str]:
    """A warning for each service that is dialled where others can listen."""
    for name, service in read.services.items():
        host = plain_host(service.settings.get("address")) if service.signalling == "dial" else ""
        if host and not is_loopback(host):
            key = dotted("services", name, "address")
            yield (
                f'{key}: "{service.settings["address"]}" is plain TCP beyond loopback: whoever stands on the way reads'
                " the customer's number and the serial; tls:HOST:PORT hides them"
            )


def _warnings(read: FileTables, demo: bool) -> Iterator[str]:
    if demo:
        yield (
            f"the demo identities {' and '.join(read.identities)} are in use; everybody knows their secret:"
            " name your own under [identities]"
        )
    else:
        for name, identity in read.identities.items():
            if identity.secret:
                key = dotted("identities", name, "secret")
                yield f"{key} stands in clear; `ctiex passwd` makes a secret_hash of it"
    if read.metrics.listen and not read_endpoint(read.metrics.listen).local:
        yield (
            f'metrics.listen: "{read.metrics.listen}" listens beyond loopback and asks for no login:'
            " see that nobody but your monitoring reaches it"
        )
    served = {service for identity in read.identities.values() for service in identity.services}
    for service in read.services:
        if service not in served:
            yield f"no identity names the service {service!r}: no automatic service can take its calls"
    yield from _dialled_in_clear(read)
