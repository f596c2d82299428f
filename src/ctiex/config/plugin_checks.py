"""A configuration held against the plugins that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from attrs import fields
from zope.interface.interface import InterfaceClass

from ctiex.config.carriers import build_carriers
from ctiex.config.model import CarrierSettings, Configuration, ConfiguredService
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
from ctiex.settings.structuring import dotted, structure

Finder = Callable[[InterfaceClass, str], Any]
"""Finds a plugin of an interface by its name, as :func:`ctiex.plugins.find_plugin` does."""


def wrong_plugins(configuration: Configuration, find: Finder = find_plugin) -> Iterator[str]:
    """What is wrong with the plugins that a configuration names: they are missing, or don't take their own keys."""
    for link, settings in (("agent", configuration.agent_link), ("ivr", configuration.ivr_link)):
        yield from _tried(f"links.{link}.codec", partial(_build_codec, find, settings.codec))
    store, login = configuration.store, configuration.login
    yield from _wrong_choice(
        find, IJournalPlugin, store.kind, "store.kind", "store", lambda: store.settings, _use_store
    )
    yield from _wrong_carriers(configuration.carrier, find)
    build = partial(_build, context=(checker_context(configuration.identities.values()),))
    yield from _wrong_choice(
        find, ICheckerPlugin, login.checker, "login.checker", "login", lambda: login.settings, build
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
    for chooser, key, kind in kinds:
        table = partial(carrier.settings_of, kind)
        wrong += _wrong_choice(find, ISerialCarrierPlugin, kind, f"carrier.{chooser}", key, table)
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
    yield from _wrong_choice(
        find, ISignallingPlugin, service.signalling, f"{key}.signalling", key, lambda: service.settings,
        use=_only_look, declared=attrgetter("service_settings"),
    )  # fmt: skip
    for side, one in ((f"{key}.request", service.request), (f"{key}.result", service.result)):
        table = partial(getattr, one, "settings")
        yield from _wrong_choice(find, IOrganizerPlugin, one.organizer, f"{side}.organizer", side, table)


def _build(plugin: Any, settings: Any, context: tuple[Any, ...] = ()) -> object:
    return plugin.build(settings, *context)


def _only_look(plugin: Any, settings: Any) -> None:
    """What is built of them is built of all services at once."""


def _wrong_choice(
    find: Finder,
    interface: InterfaceClass,
    name: str,
    chooser: str,
    key: str,
    table: Callable[[], Mapping[str, Any]],
    use: Callable[[Any, Any], object] = _build,
    declared: Callable[[Any], type[Any]] = attrgetter("settings"),
) -> Iterator[str]:
    """What is wrong with the choice of a plugin, with its own keys, or with what becomes of them.

    :param chooser: the key that names it.
    :param key: that of the table of its own keys.
    :param use: is called with the plugin and its settings.
    :param declared: tells the class of its settings.
    """
    try:
        plugin = find(interface, name)
    except ConfigurationError as error:
        yield f"{chooser}: {error}"
    else:
        yield from _wrong_settings(key, table, partial(declared, plugin), partial(use, plugin))


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
