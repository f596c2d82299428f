"""Where codecs, stores, signalling drivers, carriers, organizers and media are found by name.

A third party names a module of its own as an entry point of the group ``ctiex.plugins``; or it adds a module to this
package from its own distribution: ``ctiex/plugins/NAME.py``, with no ``__init__.py`` in either folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType
from typing import Any

from attrs import frozen
from twisted.plugin import IPlugin, pluginPackagePaths
from zope.interface.interface import InterfaceClass

from ctiex.errors import ConfigurationError
from ctiex.settings import structure

__path__.extend(pluginPackagePaths(__name__))
__all__ = ["broken_plugins", "build_plugin", "find_plugin"]

_PLUGIN: InterfaceClass = IPlugin


@frozen
class _Loaded:
    """What stands in the package's folders, and what is named as an entry point.

    Twisted's own search would print a traceback of a broken module at every look.
    """

    modules: tuple[ModuleType, ...]
    broken: tuple[str, ...]
    """What can't be imported, a line each: the module, why, and where."""


@cache
def _loaded(paths: tuple[str, ...]) -> _Loaded:
    modules: list[ModuleType] = []
    broken: list[str] = []
    for name, load in _found(paths):
        try:
            modules.append(load())
        except (Exception, SystemExit) as error:  # whatever the code of others does
            broken.append(f"the plugin module {name} can't be used: {_worded(error)}")
    return _Loaded(tuple(modules), tuple(broken))


def _found(paths: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], ModuleType]]]:
    """The name of each module of plugins, with what imports it."""
    for found in iter_modules(paths, f"{__name__}."):
        yield found.name, partial(import_module, found.name)
    for entry in entry_points(group=__name__):
        yield entry.value, partial(_module_of, entry)


def _module_of(entry: EntryPoint) -> ModuleType:
    """The module that an entry point names.

    :raise TypeError: it names something else.
    """
    module = entry.load()
    if not isinstance(module, ModuleType):
        raise TypeError(f"the entry point {entry.name} names {type(module).__name__}, expected a module")
    return module


def _worded(error: BaseException) -> str:
    """An error on one line, with the place in the module where it came up."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = [frame for frame in extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else text


def broken_plugins() -> tuple[str, ...]:
    """The modules of plugins that can't be imported, a line each that says why; what they offer isn't there."""
    return _loaded(tuple(__path__)).broken


def plugins(interface: InterfaceClass) -> Iterator[Any]:
    """Every plugin of an interface, once."""
    seen: list[Any] = []
    for module in _loaded(tuple(__path__)).modules:
        for value in list(vars(module).values()):
            provided = all(each.providedBy(value) for each in (_PLUGIN, interface))
            if provided and not any(value is one for one in seen):
                seen.append(value)
                yield value


def find_plugin(interface: InterfaceClass, name: str) -> Any:
    """The plugin of this name.

    :param interface: what it provides, as `ctiex.interfaces.ICodecPlugin`.
    :raise ConfigurationError: there is no plugin of this name, or more than one.
    """
    known = list(plugins(interface))
    found = [plugin for plugin in known if plugin.name == name]
    if len(found) == 1:
        return found[0]
    kind = interface.__name__
    if found:
        places = ", ".join(sorted(f"{type(plugin).__module__}.{type(plugin).__name__}" for plugin in found))
        raise ConfigurationError(f'found "{name}", which {len(found)} plugins ({kind}) use, expected one: {places}')
    names = ", ".join(sorted({plugin.name for plugin in known})) or "no plugin is installed"
    raise ConfigurationError(f'found "{name}", expected a plugin ({kind}) of: {names}')


def build_plugin(
    interface: InterfaceClass,
    name: str,
    table: Mapping[str, Any],
    *context: Any,
    key: str = "",
    find: Callable[[InterfaceClass, str], Any] = find_plugin,
) -> Any:
    """What the plugin of this name builds of a table of settings.

    :param table: its own keys, as they stand in the file.
    :param context: what it is built with beside its settings.
    :param key: the dotted key of the table, for errors.
    :raise ConfigurationError: there is no such plugin, or a line for each thing that is wrong with a key.
    """
    try:
        plugin = find(interface, name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}: {error}" if key else str(error)) from None
    return plugin.build(structure(table, plugin.settings, key), *context)
