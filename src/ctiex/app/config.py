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
    failure_of,
    is_short_text,
)
from ctiex.app.config_reading import dotted, structure
from ctiex.app.listening import advertised_address, read_endpoint
from ctiex.errors import ConfigurationError
from ctiex.links.credentials import KnownIdentity, SecretHash
from ctiex.messages import Role
from ctiex.processing.identities import AgentNumbers, Identity

__all__ = ["Configuration", "exchange_address", "load", "parse"]

DEMO_SECRET = "demo"
DEMO_SERVICES: Mapping[str, Any] = {
    "number-broadcast": {"access_code": "7001"},
    "bill-broadcast": {"access_code": "7002", "request": {"secret": ["account"]}},
    "password-authentication": {"access_code": "7000", "request": {"secret": ["account"]}},
}
"""The built-in services, for a file that has no ``[services]``; as such a file would say it."""

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
    errors = [*_wrong_names(read), *_wrong_identities(read)]
    errors += _wrong_listening("links.agent.listen", "--agent-listen", agent_link.listen, agent_listen, demo)
    if ivr_link.listen or ivr_listen:
        errors += _wrong_listening("links.ivr.listen", "--ivr-listen", ivr_link.listen, ivr_listen, demo)
    else:
        errors += _needing_the_ivr_link(read.services)
    if read.metrics.listen:
        errors += _wrong_listening("metrics.listen", "", read.metrics.listen, None, False)
    if errors:
        raise failure_of(errors, source)
    return Configuration(
        exchange=read.exchange,
        agent_link=evolve(agent_link, listen=agent_listen or agent_link.listen),
        ivr_link=evolve(ivr_link, listen=ivr_listen or ivr_link.listen),
        store=read.store,
        carrier=read.carrier,
        metrics=read.metrics,
        limits=read.limits,
        identities={name: _known(name, settings) for name, settings in read.identities.items()},
        services=dict(read.services),
        source=source,
        demo_identities=demo,
        warnings=tuple(_warnings(read, demo)),
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
    secret = SecretHash.parse(settings.secret_hash) if settings.secret_hash else settings.secret
    return KnownIdentity(Identity(name, _ROLES[settings.role], agents, services), secret)


# ---------------------------------------------------------------- what one table can't tell alone


def _wrong_names(read: FileTables) -> Iterator[str]:
    for table, names in (("identities", read.identities), ("services", read.services)):
        for name in names:
            if not is_short_text(name):
                yield f"{dotted(table, name[:40])}: found a name of no use, expected text of 1 to 255 bytes"


def _wrong_identities(read: FileTables) -> Iterator[str]:
    for name, identity in read.identities.items():
        key = dotted("identities", name)
        if bool(identity.secret) == bool(identity.secret_hash):
            found = "both secret and secret_hash" if identity.secret else "neither secret nor secret_hash"
            yield f"{key}: found {found}, expected one of them"
        other = "services" if identity.role == "agent" else "agents"
        if getattr(identity, other):
            yield f"{key}.{other}: found {other} with role {identity.role!r}, expected none in this role"
        known = ", ".join(sorted(read.services)) or "none, as [services] is empty"
        for service in identity.services:
            if service not in read.services:
                yield f'{key}.services: found the unknown service "{service}", expected one of: {known}'


def _wrong_listening(key: str, option: str, listen: str, override: str | None, demo: bool) -> Iterator[str]:
    where = key if override is None else option
    try:
        listening = read_endpoint(listen if override is None else override)
    except ConfigurationError as error:
        yield f"{where}: {error}"
        return
    if demo and not listening.local:
        yield (
            f'{where}: found "{listening.description}", which listens beyond loopback, expected'
            " interface=127.0.0.1 as long as the demo identities are in use: everybody knows their secret;"
            " name your own under [identities]"
        )


def _needing_the_ivr_link(services: Mapping[str, ConfiguredService]) -> Iterator[str]:
    for name, service in services.items():
        if service.signalling in ("link", "dial"):
            yield (
                f'{dotted("services", name)}.signalling: found "{service.signalling}", which needs the IVR link,'
                " expected a driver of the application, as links.ivr.listen is empty"
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
    served = {service for identity in read.identities.values() for service in identity.services}
    for service in read.services:
        if service not in served:
            yield f"no identity names the service {service!r}: no automatic service can take its calls"
