"""The plugins that come with CTIEX, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from attrs import frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.clients.terminal import open_terminal
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.extras import need
from ctiex.interfaces import (
    CheckerContext,
    ICheckerPlugin,
    ICodec,
    ICodecPlugin,
    IJournal,
    IJournalPlugin,
    IMedia,
    IMediaPlugin,
    IOrganizer,
    IOrganizerPlugin,
    IPlacedJournalPlugin,
    ISerialCarrier,
    ISerialCarrierPlugin,
)
from ctiex.login.checkers import CONFIGURED, ConfiguredChecker
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.services.media import ScriptedMedia, TerminalMedia
from ctiex.settings.checks import Check, NoSettings, is_whole
from ctiex.signalling.asterisk import AsteriskSignallingPlugin
from ctiex.signalling.dial import DialSignallingPlugin
from ctiex.signalling.link import LinkSignallingPlugin
from ctiex.stores.sqlite_settings import SqliteSettings

# ---------------------------------------------------------------- codecs


@implementer(IPlugin, ICodecPlugin)
@frozen
class BuiltInCodec:
    """Finds one of them by name."""

    name: str
    build: Callable[[], ICodec]


binary = BuiltInCodec("binary", BinaryCodec)
json = BuiltInCodec("json", JsonCodec)


# ---------------------------------------------------------------- journals of the call store


@implementer(IPlugin, IJournalPlugin)
class MemoryStorePlugin:
    """``[store] kind = "memory"``: nothing outlives the process."""

    name = "memory"
    settings = NoSettings

    def build(self, settings: NoSettings) -> None:
        """No journal."""


@implementer(IPlugin, IPlacedJournalPlugin)
class SqliteStorePlugin:
    """``[store] kind = "sqlite"``: outlives the process, in a file."""

    name = "sqlite"
    settings = SqliteSettings

    def build(self, settings: SqliteSettings) -> IJournal:
        """A journal in its file.

        :raise ConfigurationError: the extra ``durable`` isn't installed.
        """
        need("durable", "the sqlite store")
        from ctiex.stores.sqlite import SqliteJournal  # needs what the extra brings

        return SqliteJournal(Path(settings.path), Path(settings.key_file), settings.lock_wait)

    def check_place(self, settings: SqliteSettings) -> None:
        """Check that its files can be used.

        :raise ConfigurationError: with a line for each thing that is wrong.
        """
        from ctiex.stores.places import check_places

        check_places(Path(settings.path), Path(settings.key_file))


memory = MemoryStorePlugin()
sqlite = SqliteStorePlugin()


# ---------------------------------------------------------------- signalling drivers


link = LinkSignallingPlugin()
dial = DialSignallingPlugin()
asterisk = AsteriskSignallingPlugin()


# ---------------------------------------------------------------- carriers of serials


@implementer(IPlugin, ISerialCarrierPlugin)
@frozen
class BuiltInCarrier:
    """``[carrier] kind = NAME``; the keys are the attributes of the carrier itself."""

    name: str
    settings: type[ISerialCarrier]

    def build(self, settings: ISerialCarrier) -> ISerialCarrier:
        """The carrier, which its settings are."""
        return settings


calling_number = BuiltInCarrier("calling-number", CallingNumberSerialCarrier)
user_to_user = BuiltInCarrier("user-to-user", UserToUserSerialCarrier)
sip_header = BuiltInCarrier("sip-header", SipHeaderSerialCarrier)


# ---------------------------------------------------------------- organizers of fields


@implementer(IPlugin, IOrganizerPlugin)
class RulesPlugin:
    """``organizer = "rules"``: keep, map, rename, constants and secret."""

    name = "rules"
    settings = RuleSettings

    def build(self, settings: RuleSettings) -> IOrganizer:
        """An organizer for one direction of one service."""
        return RuleOrganizer(settings)


rules = RulesPlugin()


# ---------------------------------------------------------------- checkers of identities and secrets


@implementer(IPlugin, ICheckerPlugin)
class ConfiguredPlugin:
    """``[login] checker = "configured"``: the secrets and hashes of ``[identities]``."""

    name = CONFIGURED
    settings = NoSettings

    def build(self, settings: NoSettings, context: CheckerContext) -> ICredentialsChecker:
        """A checker over the identities of the configuration."""
        return ConfiguredChecker(
            context.secrets,
            context.identities,
            lambda work: deferToThreadPool(context.reactor, context.reactor.getThreadPool(), work),
        )


configured = ConfiguredPlugin()


# ---------------------------------------------------------------- media


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
