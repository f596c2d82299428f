"""``ctiex check-config``: whether a configuration is valid, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from twisted.python import usage

from ctiex.app.checking import checked
from ctiex.app.output import say, say_lines
from ctiex.config.model import Configuration, ConfiguredService, LinkSettings
from ctiex.config.plugin_checks import Finder
from ctiex.config.reading import exchange_address
from ctiex.errors import ConfigurationError
from ctiex.identities import AgentNumbers
from ctiex.login.credentials import KnownIdentity
from ctiex.login.secret_hashes import SecretHash
from ctiex.plugins import find_plugin


class Options(usage.Options):
    """The options of ``ctiex check-config``."""

    synopsis = "[options] [FILE]"
    longdesc = "Checks a configuration and prints what it means, without secrets. Exit code 1: it is invalid."
    optParameters = [
        ["config", "c", None, "The TOML file, the same as FILE; the built-in configuration without either."],
        ["agent-listen", None, None, "An endpoint string in place of the agent link's own."],
        ["ivr-listen", None, None, "An endpoint string in place of the IVR link's own."],
    ]

    def parseArgs(self, file: str | None = None) -> None:
        """Take the file from the command line.

        :raise UsageError: it was given by an option as well.
        """
        if file is not None:
            if self["config"] is not None:
                raise usage.UsageError("give the file once: as FILE or by --config")
            self["config"] = file


def run(options: Options, stdout: TextIO, stderr: TextIO, find: Finder = find_plugin) -> int:
    """Check, and print the summary or every error; 0 or 1.

    :param find: finds the plugins that the configuration names.
    """
    try:
        configuration = checked(options["config"], options["agent-listen"], options["ivr-listen"], find, ports=True)
    except ConfigurationError as error:
        say_lines(error, stderr)
        return 1
    for line in summary(configuration):
        say(line, stdout)
    say("configuration: ok", stdout)
    return 0


def summary(configuration: Configuration) -> Iterator[str]:
    """The effective configuration for people, a line each, without any secret."""
    yield f"from: {configuration.source or 'the built-in defaults'}"
    yield f"exchange {configuration.exchange.id}, services reach it at {exchange_address(configuration)}"
    yield _link("agent", configuration.agent_link)
    yield _link("ivr", configuration.ivr_link)
    yield f"store: {configuration.store.kind}{_shown(configuration.store.settings)}"
    yield f"carrier: {', '.join((configuration.carrier.kind, *configuration.carrier.also))}"
    yield f"metrics: {configuration.metrics.listen or 'off'}"
    yield f"audit: {configuration.audit.file or 'off'}"
    limits = configuration.limits
    yield (
        f"limits: {limits.links_per_identity} links and {limits.calls_per_identity} calls for each identity,"
        f" {limits.mailbox} events for each agent, kept {limits.mailbox_ttl:g} s"
    )
    yield f"logins: checked by {configuration.login.checker}"
    for name, known in configuration.identities.items():
        yield _identity(name, known)
    for name, service in configuration.services.items():
        yield _service(name, service)
    for warning in configuration.warnings:
        yield f"warning: {warning}"


def _link(name: str, link: LinkSettings) -> str:
    return f"{name} link: {link.listen}, codec {link.codec}, heartbeat {link.heartbeat} s, frames to {link.max_frame}"


def _identity(name: str, known: KnownIdentity) -> str:
    identity = known.identity
    role = identity.role.name.lower()
    allowed = _agents(identity.agents) if role == "agent" else f"services {_listed(identity.services)}"
    return f"identity {name}: {role}, {_proof(known)}, {allowed}"


def _proof(known: KnownIdentity) -> str:
    """By what it is let in."""
    proofs = [f"certificate {known.certificate}"] if known.certificate else []
    if known.secret is not None:
        proofs.insert(0, "secret hashed" if isinstance(known.secret, SecretHash) else "secret in plain text")
    return " or ".join(proofs) or "checked elsewhere"


def _agents(agents: AgentNumbers) -> str:
    if agents.every:
        return "every agent number"
    return f"agents {_listed([*agents.exact, *(f'{numbers.first}-{numbers.last}' for numbers in agents.ranges)])}"


def _listed(names: frozenset[str] | list[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _service(name: str, service: ConfiguredService) -> str:
    return (
        f"service {name}: access code {service.access_code}, signalled by {service.signalling},"
        f" signalling {service.signalling_timeout:g} s, fetch {service.fetch_timeout:g} s,"
        f" service {service.service_timeout:g} s, kept closed {service.keep_closed:g} s"
    )


def _shown(settings: Mapping[str, Any]) -> str:
    """The names of files among the settings of a plugin; anything else might be a secret."""
    return "".join(f", {key} {value}" for key, value in settings.items() if key in ("path", "key_file"))
