"""A configuration held against the plugins that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from zope.interface.interface import InterfaceClass

from ctiex.config.carriers import build_carriers
from ctiex.config.model import CarrierSettings, Configuration, ConfiguredService, StoreSettings, failure_of
from ctiex.config.structuring import dotted
from ctiex.errors import ConfigurationError
from ctiex.interfaces import (
    ICallStorePlugin,
    ICheckerPlugin,
    ICodecPlugin,
    IOrganizerPlugin,
    IPlacedStorePlugin,
    ISerialCarrierPlugin,
    ISignallingPlugin,
)
from ctiex.login.credentials import checker_context
from ctiex.plugins import find_plugin

Finder = Callable[[InterfaceClass, str], Any]
"""Finds a plugin of an interface by its name, as :func:`ctiex.plugins.find_plugin` does."""


def check_plugins(configuration: Configuration, find: Finder = find_plugin) -> None:
    """Hold a configuration against the plugins it names: they exist, and take their own keys.

    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    errors = list(_wrong_plugins(configuration, find))
    if errors:
        raise failure_of(errors, configuration.source)


def _wrong_plugins(configuration: Configuration, find: Finder) -> Iterator[str]:
    for link, settings in (("agent", configuration.agent_link), ("ivr", configuration.ivr_link)):
        yield from _tried(f"links.{link}.codec", partial(_build_codec, find, settings.codec))
    store = configuration.store
    wrong_store = list(_tried_to_build("store", "kind", find, ICallStorePlugin, store.kind, store.settings))
    yield from wrong_store or _wrong_place(store, find)
    yield from _wrong_carriers(configuration.carrier, find)
    login, context = configuration.login, checker_context(configuration.identities.values())
    yield from _tried_to_build("login", "checker", find, ICheckerPlugin, login.checker, login.settings, context)
    for name, service in configuration.services.items():
        yield from _wrong_service(dotted("services", name), service, find)
    for name in sorted({service.signalling for service in configuration.services.values()}):
        yield from _wrong_driver(name, configuration.signalling.get(name, {}), find)


def _wrong_carriers(carrier: CarrierSettings, find: Finder) -> Iterator[str]:
    kinds = (("kind", "carrier", carrier.kind), *(("also", dotted("carrier", name), name) for name in carrier.also))
    wrong: list[str] = []
    for chooser, table, kind in kinds:
        try:
            plugin = find(ISerialCarrierPlugin, kind)
        except ConfigurationError as error:
            wrong.append(f"carrier.{chooser}: {error}")
        else:
            wrong += _tried(table, lambda plugin=plugin, kind=kind: plugin.build(carrier.settings_of(kind)))  # type: ignore[misc]
    if carrier.also and not wrong:
        wrong += _tried("carrier", lambda: build_carriers(carrier, find))
    yield from wrong


def _wrong_place(store: StoreSettings, find: Finder) -> Iterator[str]:
    """What is wrong with where a store is to stand."""
    plugin = find(ICallStorePlugin, store.kind)
    if IPlacedStorePlugin.providedBy(plugin):
        for wrong in _tried("", lambda: plugin.check_place(store.settings)):
            yield from (f"store.{line}" for line in wrong.removeprefix(": ").splitlines())


def _build_codec(find: Finder, name: str) -> None:
    find(ICodecPlugin, name).build()


def _wrong_driver(name: str, settings: Mapping[str, Any], find: Finder) -> Iterator[str]:
    """What is wrong with the own table of a signalling driver."""
    key = dotted("signalling", name)
    try:
        driver = find(ISignallingPlugin, name)
    except ConfigurationError:
        return  # told of the services that name it
    for wrong in _tried("", lambda: driver.check_driver(settings)):
        yield from (f"{key}.{line}" for line in wrong.removeprefix(": ").splitlines())


def _wrong_service(key: str, service: ConfiguredService, find: Finder) -> Iterator[str]:
    try:
        driver = find(ISignallingPlugin, service.signalling)
    except ConfigurationError as error:
        yield f"{key}.signalling: {error}"
    else:
        yield from _tried(key, lambda: driver.check(service.settings))
    for side, organizer in (("request", service.request), ("result", service.result)):
        yield from _tried_to_build(
            f"{key}.{side}", "organizer", find, IOrganizerPlugin, organizer.organizer, organizer.settings
        )


def _tried_to_build(
    table: str,
    chooser: str,
    find: Finder,
    interface: InterfaceClass,
    name: str,
    settings: Mapping[str, Any],
    *context: object,
) -> Iterator[str]:
    """What is wrong with the choice of a plugin, or with its own keys in the same table.

    :param context: what it is built with beside its settings.
    """
    try:
        plugin = find(interface, name)
    except ConfigurationError as error:
        yield f"{table}.{chooser}: {error}"
    else:
        yield from _tried(table, lambda: plugin.build(settings, *context))


def _tried(key: str, attempt: Callable[[], object]) -> Iterator[str]:
    try:
        attempt()
    except ConfigurationError as error:
        yield f"{key}: {error}"
    except Exception as error:  # whatever the code of others does
        yield f"{key}: the plugin fails: {type(error).__name__}: {error}"
