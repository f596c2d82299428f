"""How fields are changed between an agent and a service."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from zope.interface import Attribute, Interface

from ctiex.fields import Fields


class IOrganizer(Interface):
    """Puts fields into the vocabulary of the other side [0051, 0053]."""

    secret: Collection[str] = Attribute("The names, before and after, of fields whose values are masked.")

    def organize(fields: Fields) -> Fields:
        """The fields in the other side's vocabulary. Pure: the same input gives the same output.

        :raise FieldError: the outcome breaks a limit of the wire format.
        """


class IOrganizerPlugin(Interface):
    """Finds an organizer by name."""

    name: str = Attribute("What the configuration calls it: ``organizer = NAME``, ``rules`` by default.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any) -> IOrganizer:
        """An organizer for one direction of one service.

        :param settings: an instance of ``settings``, from the other keys of ``[services.NAME.request]`` or ``.result``.
        """
