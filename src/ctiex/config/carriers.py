"""The carriers that ``[carrier]`` asks for, and which of them does what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from zope.interface.interface import InterfaceClass

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.combined import CombinedSerialCarrier, changes_the_number
from ctiex.config.model import CarrierSettings
from ctiex.interfaces import ISerialCarrier, ISerialCarrierPlugin
from ctiex.plugins import build_plugin, find_plugin
from ctiex.settings.structuring import dotted


@frozen
class Carriers:
    """How serials travel."""

    connection: ISerialCarrier
    """To services over links: always in the calling number, since a Connection has nothing else for it."""
    network: ISerialCarrier | None
    """Through the telephone network; None: in the same way."""


def build_carriers(settings: CarrierSettings, find: Callable[[InterfaceClass, str], Any] = find_plugin) -> Carriers:
    """The carriers of a configuration.

    :raise ConfigurationError: a plugin is missing, doesn't take its settings, or two would write the same place.
    """
    built = tuple(
        build_plugin(
            ISerialCarrierPlugin, kind, settings.settings_of(kind), find=find,
            key="carrier" if kind == settings.kind else dotted("carrier", kind),
        )
        for kind in (settings.kind, *settings.also)
    )  # fmt: skip
    network: ISerialCarrier = CombinedSerialCarrier(built) if len(built) > 1 else built[0]
    in_number: ISerialCarrier = next(filter(changes_the_number, built), CallingNumberSerialCarrier())
    return Carriers(in_number, None if network is in_number else network)
