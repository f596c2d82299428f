"""Where codecs, stores, signalling drivers, carriers, organizers and media are found by name.

A third party adds a module to this package from its own distribution: it ships
``ctiex/plugins/NAME.py``, with no ``__init__.py`` in either folder.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
