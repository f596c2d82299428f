"""The built-in kinds of media, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.clients.terminal import open_terminal
from ctiex.errors import ConfigurationError
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.services.media import ScriptedMedia, TerminalMedia


@implementer(IPlugin, IMediaPlugin)
class ScriptedPlugin:
    """``--media scripted``: a customer out of a script."""

    name = "scripted"

    def build(self, settings: Mapping[str, Any], clock: IReactorTime) -> IMedia:
        """A customer who types ``typed`` (a list of texts), and leaves after ``hang_up_after`` actions.

        :raise ConfigurationError: an unknown key, or an invalid value.
        """
        _only(settings, "typed", "hang_up_after")
        typed = settings.get("typed", [])
        if not (isinstance(typed, (list, tuple)) and all(isinstance(keys, str) for keys in typed)):
            raise ConfigurationError("typed: expected a list of texts, one for each question")
        after = settings.get("hang_up_after")
        if after is not None and (type(after) is not int or after < 0):
            raise ConfigurationError("hang_up_after: expected a number of actions, from 0")
        return ScriptedMedia(typed, after)


@implementer(IPlugin, IMediaPlugin)
class TerminalPlugin:
    """``--media terminal``: the person at this process's terminal plays every customer."""

    name = "terminal"

    def build(self, settings: Mapping[str, Any], clock: IReactorTime) -> IMedia:
        """The person at the terminal; ``clock`` must be the running reactor.

        :raise ConfigurationError: there are settings; it takes none.
        """
        _only(settings)
        terminal = open_terminal(clock)
        return TerminalMedia(terminal.read_line, terminal.write, clock)


def _only(settings: Mapping[str, Any], *known: str) -> None:
    for key in settings:
        if key not in known:
            raise ConfigurationError(f"unknown key {key!r}: expected {' or '.join(known) or 'no settings'}")


scripted = ScriptedPlugin()
terminal = TerminalPlugin()
