"""A configuration held against the plugins that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from attrs import fields
from zope.interface.interface import InterfaceClass

from ctiex.config.carriers import build_carriers
from ctiex.config.model import CarrierSettings, Configuration, ConfiguredService, failure_of
from ctiex.errors import ConfigurationError
from ctiex.interfaces import (
    ICheckerPlugin,
    ICodecPlugin,
    IJournalPlugin,
    IOrganizerPlugin,
    IPlacedJournalPlugin,
    ISerialCarrierPlugin,
    ISignallingPlugin,
)
from ctiex.login.credentials import checker_context
from ctiex.plugins import find_plugin
from ctiex.settings import structure
from ctiex.settings.structuring import dotted

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
    store, login = configuration.store, configuration.login
    found = partial(find, IJournalPlugin, store.kind)
    yield from _wrong_choice("store", "kind", found, lambda: store.settings, _use_store)
    yield from _wrong_carriers(configuration.carrier, find)
    context = checker_context(configuration.identities.values())
    found = partial(find, ICheckerPlugin, login.checker)
    yield from _wrong_choice(
        "login", "checker", found, lambda: login.settings, lambda plugin, settings: plugin.build(settings, context)
    )
    for name, service in configuration.services.items():
        yield from _wrong_service(dotted("services", name), service, find)
    for name in sorted({service.signalling for service in configuration.services.values()}):
        yield from _wrong_driver(name, configuration.signalling.get(name, {}), find)


def _build_codec(find: Finder, name: str) -> None:
    find(ICodecPlugin, name).build()


def _use_store(plugin: Any, settings: Any) -> None:
    """Build the journal, which opens nothing, and see whether it can stand where it is to."""
    plugin.build(settings)
    if IPlacedJournalPlugin.providedBy(plugin):
        plugin.check_place(settings)


def _wrong_carriers(carrier: CarrierSettings, find: Finder) -> Iterator[str]:
    kinds = (("kind", "carrier", carrier.kind), *(("also", dotted("carrier", name), name) for name in carrier.also))
    wrong: list[str] = []
    for chooser, table, kind in kinds:
        found = partial(find, ISerialCarrierPlugin, kind)
        wrong += _wrong_choice("carrier", chooser, found, partial(carrier.settings_of, kind), own=table)
    if carrier.also and not wrong:
        wrong += _tried("carrier", lambda: build_carriers(carrier, find))
    yield from wrong


def _wrong_driver(name: str, settings: Mapping[str, Any], find: Finder) -> Iterator[str]:
    """What is wrong with the own table of a signalling driver."""
    try:
        driver = find(ISignallingPlugin, name)
    except ConfigurationError:
        return  # told of the services that name it
    yield from _wrong_settings(dotted("signalling", name), lambda: settings, lambda: driver.settings)


def _wrong_service(key: str, service: ConfiguredService, find: Finder) -> Iterator[str]:
    try:
        driver = find(ISignallingPlugin, service.signalling)
    except ConfigurationError as error:
        yield f"{key}.signalling: {error}"
    else:
        yield from _wrong_settings(key, lambda: service.settings, lambda: driver.service_settings)
    for side, organizer in (("request", service.request), ("result", service.result)):
        found = partial(find, IOrganizerPlugin, organizer.organizer)
        yield from _wrong_choice(f"{key}.{side}", "organizer", found, lambda one=organizer: one.settings)  # type: ignore[misc]


def _build(plugin: Any, settings: Any) -> object:
    return plugin.build(settings)


def _wrong_choice(
    table: str,
    chooser: str,
    find: Callable[[], Any],
    settings: Callable[[], Mapping[str, Any]],
    use: Callable[[Any, Any], object] = _build,
    own: str = "",
) -> Iterator[str]:
    """What is wrong with the choice of a plugin, with its own keys, or with what becomes of them.

    :param use: is called with the plugin and its settings.
    :param own: the table of its own keys, where it isn't that which names it.
    """
    try:
        plugin = find()
    except ConfigurationError as error:
        yield f"{table}.{chooser}: {error}"
    else:
        yield from _wrong_settings(own or table, settings, lambda: plugin.settings, partial(use, plugin))


def _wrong_settings(
    key: str,
    table: Callable[[], Mapping[str, Any]],
    declared: Callable[[], type[Any]],
    use: Callable[[Any], object] = lambda settings: None,
) -> Iterator[str]:
    """What is wrong with a plugin's own keys, or with what becomes of them."""
    own: tuple[str, ...] = ()
    try:
        settings = structure(table(), declared(), key)
        own = tuple(f"{attribute.name}: " for attribute in fields(type(settings)))
        use(settings)
    except ConfigurationError as error:
        for line in str(error).split("\n"):
            between = "" if line.startswith(f"{key}.") else f"{key}." if line.startswith(own) else f"{key}: "
            yield between + line
    except Exception as error:  # whatever the code of others does
        yield f"{key}: the plugin fails: {type(error).__name__}: {error}"


def _tried(key: str, attempt: Callable[[], object]) -> Iterator[str]:
    try:
        attempt()
    except ConfigurationError as error:
        yield from (f"{key}: {line}" for line in str(error).split("\n"))
    except Exception as error:  # whatever the code of others does
        yield f"{key}: the plugin fails: {type(error).__name__}: {error}"
