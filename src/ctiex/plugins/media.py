"""The built-in kinds of media, by name."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.clients.terminal import open_terminal
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.services.media import ScriptedMedia, TerminalMedia
from ctiex.settings import Check, NoSettings
from ctiex.settings.checks import is_whole

Typed = Annotated[str, Check("text", lambda value: isinstance(value, str))]
Actions = Annotated[int | None, Check("a number of actions, from 0", lambda value: is_whole(value) and value >= 0)]


@frozen(kw_only=True)
class ScriptedSettings:
    """What a customer out of a script does."""

    typed: tuple[Typed, ...] = ()
    """The keys for each question."""
    hang_up_after: Actions = None
    """After how many actions they leave."""


@implementer(IPlugin, IMediaPlugin)
class ScriptedPlugin:
    """``--media scripted``: a customer out of a script."""

    name = "scripted"
    settings = ScriptedSettings

    def build(self, settings: ScriptedSettings, clock: IReactorTime) -> IMedia:
        """A customer."""
        return ScriptedMedia(settings.typed, settings.hang_up_after)


@implementer(IPlugin, IMediaPlugin)
class TerminalPlugin:
    """``--media terminal``: the person at this process's terminal plays every customer."""

    name = "terminal"
    settings = NoSettings

    def build(self, settings: NoSettings, clock: IReactorTime) -> IMedia:
        """The person at the terminal; ``clock`` must be the running reactor."""
        terminal = open_terminal(clock)
        return TerminalMedia(terminal.read_line, terminal.write, clock)


scripted = ScriptedPlugin()
terminal = TerminalPlugin()
