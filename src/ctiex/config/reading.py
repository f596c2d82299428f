"""The configuration of an exchange: a TOML file, or defaults that run on loopback.

Every error of a file is reported at once, a line each: file, key, what was found, what was expected.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from ctiex.config.cross_checks import not_following, seeing_everything, warnings_of, wrong_together
from ctiex.config.endpoints import advertised_address
from ctiex.config.model import (
    Configuration,
    ConfiguredService,
    FileTables,
    IdentitySettings,
    failure_of,
)
from ctiex.errors import ConfigurationError
from ctiex.identities import ANY_OWNER, AgentNumbers, Identity
from ctiex.login.credentials import KnownIdentity
from ctiex.login.secret_hashes import SecretHash
from ctiex.messages import Role
from ctiex.settings.structuring import structure_good_part

__all__ = ["Configuration", "examine", "exchange_address", "load", "parse", "read_file"]

DEMO_SECRET = "demo"
DEMO_SERVICES: Mapping[str, Any] = {
    "number-broadcast": {"access_code": "7001"},
    "bill-broadcast": {"access_code": "7002", "request": {"secret": ["account"]}},
    "password-authentication": {"access_code": "7000", "request": {"secret": ["account"]}},
}
"""The built-in services, for a file that has no ``[services]``; as such a file would say it."""

_MARKS = ((b"\xef\xbb\xbf", "a byte order mark"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
"""How files of some editors begin."""


def load(path: str | None = None, agent_listen: str | None = None, ivr_listen: str | None = None) -> Configuration:
    """The configuration in a file; the built-in one where there is no file.

    :param agent_listen: an endpoint string in place of the agent link's own.
    :param ivr_listen: an endpoint string in place of the IVR link's own.
    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    return parse({} if path is None else read_file(path), path, agent_listen, ivr_listen)


def read_file(path: str) -> dict[str, Any]:
    """The tables of a file.

    :raise ConfigurationError: it can't be read, or is no TOML.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if marked is not None:
        raise ConfigurationError(f"{path}: found {marked}, expected UTF-8 without a byte order mark, as TOML is")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: found invalid UTF-8 at byte {error.start}, expected TOML") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: found invalid TOML: {error}") from None


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
    configuration, errors = examine(tables, source, agent_listen, ivr_listen)
    if errors or configuration is None:
        raise failure_of(errors, source)
    return configuration


def examine(
    tables: Mapping[str, Any],
    source: str | None = None,
    agent_listen: str | None = None,
    ivr_listen: str | None = None,
) -> tuple[Configuration | None, list[str]]:
    """What is good of the tables of a TOML file, and a line for each thing that is wrong, without the file's name.

    What is wrong is left out of the configuration, so that the rest can be looked at further. None: nothing is left.
    """
    demo = "identities" not in tables
    read, errors = structure_good_part({"services": DEMO_SERVICES, **tables}, FileTables)
    if read is None:
        return None, errors
    if demo:
        read = evolve(read, identities=_demo_identities(read.services))
    errors += not_following(errors, wrong_together(read, tables, agent_listen, ivr_listen, demo))
    return Configuration(
        exchange=read.exchange,
        agent_link=evolve(read.links.agent, listen=agent_listen or read.links.agent.listen),
        ivr_link=evolve(read.links.ivr, listen=ivr_listen or read.links.ivr.listen),
        store=read.store,
        carrier=read.carrier,
        signalling=dict(read.signalling),
        voice=read.voice,
        metrics=read.metrics,
        audit=read.audit,
        limits=read.limits,
        login=read.login,
        calls=read.calls,
        call_data=read.call_data,
        supervision=read.supervision,
        identities={name: _known(name, one) for name, one in read.identities.items() if name != ANY_OWNER},
        services=dict(read.services),
        source=source,
        demo_identities=demo,
        warnings=() if errors else (*warnings_of(read, demo), *seeing_everything(read, tables)),
    ), errors


def exchange_address(configuration: Configuration) -> str:
    """The exchange's address for services: the configured one, or where the IVR link listens, if it does."""
    listen = configuration.ivr_link.listen
    return configuration.exchange.address or (advertised_address(listen) if listen else "")


def _demo_identities(services: Mapping[str, ConfiguredService]) -> Mapping[str, IdentitySettings]:
    return {
        "agent-demo": IdentitySettings(role="agent", secret=DEMO_SECRET, agents=("*",)),
        "service-demo": IdentitySettings(role="service", secret=DEMO_SECRET, services=tuple(services)),
    }


def _known(name: str, settings: IdentitySettings) -> KnownIdentity:
    role, agents = Role[settings.role.upper()], AgentNumbers.parse(settings.agents)
    secret = SecretHash.parse(settings.secret_hash) if settings.secret_hash else settings.secret or None
    identity = Identity(
        name,
        role,
        agents,
        frozenset(settings.services),
        AgentNumbers.parse(settings.supervises),
        tuple(settings.may_dial),
    )
    return KnownIdentity(identity, secret, settings.certificate)
