"""Where codecs, stores, signalling drivers, carriers, organizers and media are found by name.

A third party adds a module to this package from its own distribution: it ships
``ctiex/plugins/NAME.py``, with no ``__init__.py`` in either folder.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from twisted.plugin import getPlugins, pluginPackagePaths
from zope.interface.interface import InterfaceClass

from ctiex.errors import ConfigurationError

__path__.extend(pluginPackagePaths(__name__))
__all__ = ["find_plugin"]


def find_plugin(interface: InterfaceClass, name: str) -> Any:
    """The plugin of this name.

    :param interface: what it provides, as `ctiex.interfaces.ICodecPlugin`.
    :raise ConfigurationError: there is none of this name, or more than one.
    """
    plugins: list[Any] = list(getPlugins(cast(Any, interface), sys.modules[__name__]))
    found = [plugin for plugin in plugins if plugin.name == name]
    if len(found) == 1:
        return found[0]
    kind = interface.__name__
    if found:
        places = ", ".join(sorted(f"{type(plugin).__module__}.{type(plugin).__name__}" for plugin in found))
        raise ConfigurationError(f'found "{name}", which {len(found)} plugins ({kind}) go by, expected one: {places}')
    names = ", ".join(sorted({plugin.name for plugin in plugins})) or "no plugin is installed"
    raise ConfigurationError(f'found "{name}", expected a plugin ({kind}) of: {names}')
