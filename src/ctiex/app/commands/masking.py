"""Which fields a command masks in spite of ``--show-values``: named by options or by a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ctiex.app.commands.interspersed_options import InterspersedOptions
from ctiex.config.model import ConfiguredService
from ctiex.config.plugin_checks import Finder
from ctiex.config.reading import load
from ctiex.interfaces import IOrganizerPlugin
from ctiex.plugins import build_plugin


class MaskingOptions(InterspersedOptions):
    """``--show-values``, ``--secret`` and ``--config``."""

    optFlags: list[list[Any]] = [["show-values", None, "Show the values of fields."]]
    optParameters: list[list[Any]] = [["config", "c", None, "A configuration; its secret fields stay masked."]]

    def __init__(self) -> None:
        super().__init__()
        self.secret: set[str] = set()

    def opt_secret(self, name: str) -> None:
        """Mask the values of fields with this name in spite of --show-values; may be repeated."""
        self.secret.add(name)

    def masked(self, find: Finder) -> frozenset[str]:
        """The names of all fields that stay masked, before and after a rename, whichever service has them.

        :raise ConfigurationError: the configuration can't be used.
        """
        if self["config"] is None:
            return frozenset(self.secret)
        return frozenset(self.secret).union(*_named_secret(load(self["config"]).services, find))


def _named_secret(services: Mapping[str, ConfiguredService], find: Finder) -> Iterator[frozenset[str]]:
    for service in services.values():
        for side in (service.request, service.result):
            yield frozenset(build_plugin(IOrganizerPlugin, side.organizer, side.settings, find=find).secret)
