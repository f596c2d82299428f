"""From a configuration to an exchange: its plugins are found and built here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.cred.portal import Portal

from ctiex.call_control.control import ControlSettings
from ctiex.config.carriers import build_carriers
from ctiex.config.model import Configuration, ConfiguredService, StoreSettings
from ctiex.config.reading import exchange_address
from ctiex.core import ExchangeCore
from ctiex.identities import Identity
from ctiex.interfaces import (
    ICheckerPlugin,
    ICodecPlugin,
    IJournal,
    IJournalPlugin,
    IOrganizerPlugin,
    ISignalling,
    ISignallingPlugin,
    SignallingContext,
)
from ctiex.links.admission import Admission
from ctiex.links.descriptors import Descriptors
from ctiex.login.credentials import checker_context, make_portal
from ctiex.monitoring.audit_events import Audit
from ctiex.monitoring.counters import Counters
from ctiex.plugins import build_plugin, find_plugin
from ctiex.processing.context import ProcessingContext, ServiceSettings
from ctiex.processing.service import ProcessingService
from ctiex.settings.structuring import dotted, structure
from ctiex.stores.call_store import CallStore, JournaledCallStore

MakeDriver = Callable[[SignallingContext], ISignalling]
"""Makes a signalling driver of the embedding application, for the services that name it."""


def assemble(
    configuration: Configuration,
    reactor: Any,
    drivers: Mapping[str, MakeDriver],
    counters: Counters,
    audit: Audit | None = None,
) -> ExchangeCore:
    """What a configuration says, as an exchange without its ports.

    :param drivers: signalling drivers beside those that plugins bring, by name.
    :param audit: where records go; None: no audit.
    :raise ConfigurationError: a plugin is missing, or doesn't take its settings.
    """
    agents, ivr, carriers = configuration.agent_link, configuration.ivr_link, build_carriers(configuration.carrier)
    return ExchangeCore(
        clock=reactor,
        store=_store(configuration.store),
        portal=_portal(configuration, reactor),
        services={name: _service(name, service) for name, service in configuration.services.items()},
        make_drivers=partial(_drivers, configuration, reactor, drivers),
        limits=configuration.limits,
        agent_codec=find_plugin(ICodecPlugin, agents.codec).build(),
        agent_link=agents,
        ivr_codec=find_plugin(ICodecPlugin, ivr.codec).build(),
        ivr_link=ivr,
        carrier=carriers.connection,
        network=carriers.network,
        control_settings=ControlSettings(configuration.calls, configuration.call_data, configuration.supervision),
        is_agent=partial(_is_agent, [known.identity for known in configuration.identities.values()]),
        exchange_id=configuration.exchange.id,
        exchange_address=exchange_address(configuration),
        counters=counters,
        audit=audit,
        admission=Admission(configuration.limits, Descriptors.of_this_process()),
    )


def _store(settings: StoreSettings) -> CallStore:
    journal: IJournal | None = build_plugin(IJournalPlugin, settings.kind, settings.settings, key="store")
    return CallStore() if journal is None else JournaledCallStore(journal)


def _portal(configuration: Configuration, reactor: Any) -> Portal:
    """Where Binds are let in."""
    login, known = configuration.login, configuration.identities.values()
    return make_portal(
        known,
        build_plugin(ICheckerPlugin, login.checker, login.settings, checker_context(known, reactor), key="login"),
    )


def _service(name: str, service: ConfiguredService) -> ServiceSettings:
    request, result = (
        build_plugin(IOrganizerPlugin, one.organizer, one.settings, key=dotted("services", name, side))
        for side, one in (("request", service.request), ("result", service.result))
    )
    taken = frozenset(service.from_call_data)
    return ServiceSettings(name, service.access_code, service.signalling, request, result, service, taken)


def _is_agent(identities: Sequence[Identity], number: str) -> bool:
    """Whether an identity names this agent number: one that may act for any number names none."""
    return any(identity.names_agent(number) for identity in identities)


def _drivers(
    configuration: Configuration,
    reactor: Any,
    own: Mapping[str, MakeDriver],
    context: ProcessingContext,
    processing: ProcessingService,
) -> Mapping[str, ISignalling]:
    """One driver for each kind of signalling that a service names."""
    by_kind: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, service in configuration.services.items():
        by_kind.setdefault(service.signalling, {})[name] = service.settings
    made: dict[str, ISignalling] = {}
    with_these = partial(SignallingContext, reactor, processing.listener, context.sessions, context.codec)
    for kind, services in by_kind.items():
        table = configuration.signalling.get(kind, {})
        if kind in own:
            made[kind] = own[kind](with_these(services=services, settings=table))
        else:
            plugin = find_plugin(ISignallingPlugin, kind)
            structured = {
                name: structure(one, plugin.service_settings, dotted("services", name))
                for name, one in services.items()
            }
            settings = structure(table, plugin.settings, dotted("signalling", kind))
            made[kind] = plugin.build(with_these(services=structured, settings=settings))
    return made
