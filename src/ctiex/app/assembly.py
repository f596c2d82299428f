"""From a configuration to the parts of an exchange: they are put together here, and nowhere else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define

from ctiex.config.carriers import build_carriers
from ctiex.config.model import Configuration, ConfiguredService, LinkSettings
from ctiex.config.reading import exchange_address
from ctiex.interfaces import (
    ICheckerPlugin,
    ICodec,
    ICodecPlugin,
    IJournal,
    IJournalPlugin,
    IOrganizer,
    IOrganizerPlugin,
    ISignalling,
    ISignallingPlugin,
    SignallingContext,
)
from ctiex.links.admission import Admission
from ctiex.links.agent import AgentLinkFactory
from ctiex.links.descriptors import Descriptors
from ctiex.links.exchange import LinkContext
from ctiex.links.ivr import IvrLinkFactory
from ctiex.links.turns import Turns
from ctiex.login.authentication import Authenticator
from ctiex.login.credentials import checker_context, make_portal
from ctiex.login.throttle import LoginThrottle
from ctiex.monitoring.audit_log import AuditLog
from ctiex.monitoring.counters import Counters
from ctiex.monitoring.refusals import Refusals
from ctiex.plugins import build_plugin, find_plugin
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.processing.service_settings import ServiceSettings
from ctiex.processing.stored_time import StoredTime
from ctiex.serials import SerialAllocator
from ctiex.settings import structure
from ctiex.stores.call_store import CallStore, JournaledCallStore

MakeDriver = Callable[[SignallingContext], ISignalling]
"""Makes a signalling driver of the embedding application, for the services that name it."""


@define
class Parts:
    """What an exchange is made of."""

    counts: Counters
    store: CallStore
    sessions: ServiceSessions
    context: ProcessingContext
    processing: ProcessingService
    drivers: Mapping[str, ISignalling]
    agent_links: AgentLinkFactory
    ivr_links: IvrLinkFactory
    audit: AuditLog | None = None


def assemble(configuration: Configuration, reactor: Any, drivers: Mapping[str, MakeDriver]) -> Parts:
    """Build the parts of an exchange.

    :param drivers: signalling drivers beside those that plugins bring, by name.
    :raise ConfigurationError: a plugin is missing, or doesn't take its settings.
    """
    context = _processing_context(configuration, reactor)
    audit = _audit_log(configuration, reactor, context)
    processing, sessions = ProcessingService(context), context.sessions
    signalling_context = partial(SignallingContext, reactor, processing.listener, sessions, context.codec)
    link = partial(
        LinkContext,
        clock=reactor,
        processing=processing,
        new_session_name=lambda: secrets.token_hex(8),
        admission=Admission(configuration.limits, Descriptors.of_this_process()),
        counts=context.counts,
        turns=Turns(reactor, context.counts, lambda: configuration.limits.frames_per_second_per_identity),
        audit=audit,
        refusals=Refusals(configuration.limits, context.counts),
    )
    agents, ivr = configuration.agent_link, configuration.ivr_link
    authenticator = _authenticators(configuration, reactor, context.counts)
    agent_link = link(codec=context.agent_codec, limits=agents, authenticator=authenticator(agents))
    ivr_link = link(codec=context.codec, limits=ivr, authenticator=authenticator(ivr))
    return Parts(
        counts=context.counts,
        store=context.store,
        sessions=sessions,
        context=context,
        processing=processing,
        drivers=_drivers(configuration, signalling_context, drivers),
        agent_links=AgentLinkFactory(agent_link, context.presence, context.mailboxes),
        ivr_links=IvrLinkFactory(ivr_link, sessions),
        audit=audit,
    )


def _audit_log(configuration: Configuration, reactor: Any, context: ProcessingContext) -> AuditLog | None:
    """The audit log, if one is wanted, made known to the processing service."""
    file = configuration.audit.file
    context.audit = audit = AuditLog(file, reactor, context.counts) if file else None
    return audit


def _processing_context(configuration: Configuration, reactor: Any) -> ProcessingContext:
    """What the processing service works with."""
    counts, limits = Counters(), configuration.limits
    journal: IJournal | None = build_plugin(IJournalPlugin, configuration.store.kind, configuration.store.settings)
    carriers = build_carriers(configuration.carrier)
    agent_codec: ICodec = find_plugin(ICodecPlugin, configuration.agent_link.codec).build()
    clock = StoredTime(reactor, time.time)
    return ProcessingContext(
        clock=clock,
        store=CallStore() if journal is None else JournaledCallStore(journal),
        agent_codec=agent_codec,
        agent_link=configuration.agent_link,
        carrier=carriers.connection,
        network=carriers.network,
        allocator=SerialAllocator(configuration.exchange.id, reactor.seconds),
        sessions=ServiceSessions(),
        services={name: _service(name, service) for name, service in configuration.services.items()},
        codec=find_plugin(ICodecPlugin, configuration.ivr_link.codec).build(),
        ivr_link=configuration.ivr_link,
        exchange_address=exchange_address(configuration),
        limits=limits,
        counts=counts,
    )


def _authenticators(
    configuration: Configuration, reactor: Any, counts: Counters
) -> Callable[[LinkSettings], Authenticator]:
    """Makes the authenticator of each link; all of them share identities and failed logins."""
    login, known = configuration.login, configuration.identities.values()
    checker = build_plugin(ICheckerPlugin, login.checker, login.settings, checker_context(known, reactor))
    portal = make_portal(known, checker)
    throttle = LoginThrottle(configuration.limits)
    return lambda link: Authenticator(reactor, portal, throttle, counts, link.plain_secrets == "allowed")


def _service(name: str, service: ConfiguredService) -> ServiceSettings:
    request: IOrganizer = build_plugin(IOrganizerPlugin, service.request.organizer, service.request.settings)
    result: IOrganizer = build_plugin(IOrganizerPlugin, service.result.organizer, service.result.settings)
    return ServiceSettings(name, service.access_code, service.signalling, request, result, service)


def _drivers(
    configuration: Configuration, signalling_context: Callable[..., SignallingContext], own: Mapping[str, MakeDriver]
) -> Mapping[str, ISignalling]:
    """One driver for each kind of signalling that a service names."""
    by_kind: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, service in configuration.services.items():
        by_kind.setdefault(service.signalling, {})[name] = service.settings
    made: dict[str, ISignalling] = {}
    for kind, services in by_kind.items():
        table = configuration.signalling.get(kind, {})
        if kind in own:
            made[kind] = own[kind](signalling_context(services=services, settings=table))
        else:
            plugin = find_plugin(ISignallingPlugin, kind)
            structured = {name: structure(one, plugin.service_settings) for name, one in services.items()}
            context = signalling_context(services=structured, settings=structure(table, plugin.settings))
            made[kind] = plugin.build(context)
    return made
