"""What can be configured: one frozen class for each table of the file, with its defaults.

A type of an attribute carries what is expected of its value; :mod:`ctiex.settings.structuring`
holds the file against it. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from attrs import define, field, frozen

from ctiex.call_control.settings import CallDataSettings, CallSettings, SupervisionSettings, is_dialable
from ctiex.errors import ConfigurationError, CtiexError
from ctiex.identities import PATTERN_EXPECTED, parse_pattern
from ctiex.limits import Limits, SessionLimits, Timeouts
from ctiex.login.credentials import KnownIdentity
from ctiex.login.secret_hashes import HASH_EXPECTED, SecretHash
from ctiex.serials import check_exchange_id
from ctiex.settings.checks import REST, Check, Count, Seconds, ShortText, is_short_text, kind_of
from ctiex.telephony.asterisk.allowed_hosts import LOOPBACK, SOURCE_EXPECTED, parse_source
from ctiex.telephony.asterisk.sounds import SOUND_EXPECTED, is_sound


def _accepted_by(parse: Callable[[str], object]) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        try:
            return isinstance(value, str) and parse(value) is not None
        except CtiexError:
            return False

    return accepts


Name = ShortText
Address = Annotated[str, Check("text of at most 255 bytes", lambda value: value == "" or is_short_text(value))]
Listen = Annotated[
    str, Check('an endpoint such as "tcp:7300:interface=127.0.0.1"', lambda value: isinstance(value, str))
]
ExchangeId = Annotated[str, Check('text of 1 to 3 decimal digits, such as "1"', _accepted_by(check_exchange_id))]
AuditFile = Annotated[str, Check("the path of a file", lambda value: isinstance(value, str) and "\0" not in value)]
RoleName = Annotated[str, Check('"agent" or "service"', lambda value: value in ("agent", "service"), stand_in="agent")]
Secret = Annotated[str, Check("text of 1 to 255 bytes", is_short_text, secret=True)]
HashedSecret = Annotated[str, Check(HASH_EXPECTED, _accepted_by(SecretHash.parse), secret=True)]
CertificateName = Annotated[str, Check("a name in a certificate, of 1 to 255 bytes", is_short_text)]
Source = Annotated[str, Check(SOURCE_EXPECTED, _accepted_by(parse_source))]
SoundFile = Annotated[str, Check(SOUND_EXPECTED, is_sound)]
DialledStart = Annotated[
    str,
    Check(
        'how numbers begin, in digits and * # +, such as "0", or "*" for any',
        lambda value: isinstance(value, str) and is_dialable(value),
    ),
]
AgentPattern = Annotated[str, Check(PATTERN_EXPECTED, _accepted_by(parse_pattern))]


@frozen(kw_only=True)
class ExchangeSettings:
    """``[exchange]``."""

    id: ExchangeId = "1"
    address: Address = ""
    """The exchange's address as sent to services; empty: where the IVR link listens."""


@define(kw_only=True)
class LinkSettings(SessionLimits):
    """What ``[links.agent]`` and ``[links.ivr]`` have in common."""

    listen: Listen
    codec: Name = "binary"


@define(kw_only=True)
class AgentLinkSettings(LinkSettings):
    """``[links.agent]``."""

    listen: Listen = "tcp:7300:interface=127.0.0.1"


@define(kw_only=True)
class IvrLinkSettings(LinkSettings):
    """``[links.ivr]``."""

    listen: Listen = "tcp:7301:interface=127.0.0.1"
    """Empty: there is no IVR link, and the calls are served by the application that embeds the exchange."""


@frozen(kw_only=True)
class _PluginTable:
    """A table that names a plugin, and has its own keys."""

    settings: Mapping[str, Any] = field(factory=dict, metadata=REST, repr=False)


@frozen(kw_only=True)
class StoreSettings(_PluginTable):
    """``[store]``: which plugin, and its own keys."""

    kind: Name = "memory"


@frozen(kw_only=True)
class CarrierSettings(_PluginTable):
    """``[carrier]``: which plugins; the own keys of ``kind``, and a table for each of the others that has any."""

    kind: Name = "calling-number"
    also: tuple[Name, ...] = ()
    """Others that the serial goes by as well."""

    def settings_of(self, kind: str) -> Mapping[str, Any]:
        """The own keys of one of the plugins.

        :raise ConfigurationError: what should be a table isn't one.
        """
        if kind == self.kind:
            return {key: value for key, value in self.settings.items() if key not in self.also}
        settings = self.settings.get(kind, {})
        if not isinstance(settings, dict):
            raise ConfigurationError(f"found {kind_of(settings)}, expected a table")
        return settings


@frozen(kw_only=True)
class VoiceTable:
    """``[voice]``: what ``ctiex voice`` does for an Asterisk."""

    listen: Listen = "tcp:4573:interface=127.0.0.1"
    allow: tuple[Source, ...] = LOOPBACK
    """The addresses whose connections are taken."""
    data_within: Seconds = 5
    """How long a customer may wait for their data."""
    told_within: Seconds = 2
    """How long a customer who has been served may wait until the exchange has the result."""
    max_calls: Count = 1000
    services: Mapping[Name, Name] = field(factory=dict)
    """The built-in services by the path of the AGI call; empty: under ``password``, ``bill`` and ``number``."""
    prompts: Mapping[Name, tuple[SoundFile, ...]] = field(factory=dict)
    """Sound files by the name of a prompt, beside the defaults."""


@frozen(kw_only=True)
class MetricsSettings:
    """``[metrics]``: the HTTP port of metrics and health; off where ``listen`` is empty."""

    listen: Listen = ""


@frozen(kw_only=True)
class AuditSettings:
    """``[audit]``: the file that the audit log is appended to; none is written where it is empty."""

    file: AuditFile = ""


@frozen(kw_only=True)
class LoginSettings(_PluginTable):
    """``[login]``: which plugin checks identities and secrets, and its own keys."""

    checker: Name = "configured"


@frozen(kw_only=True)
class OrganizerSettings(_PluginTable):
    """``[services.NAME.request]`` or ``.result``: which plugin, and its own keys."""

    organizer: Name = "rules"


@frozen(kw_only=True)
class ConfiguredService(Timeouts):
    """``[services.NAME]``: how a customer gets to a service, and how long each step may take."""

    access_code: Name
    signalling: Name = "link"
    from_call_data: tuple[Name, ...] = ()
    """Names of fields that a hand-off takes from the data of the agent's call."""
    request: OrganizerSettings = field(factory=OrganizerSettings)
    result: OrganizerSettings = field(factory=OrganizerSettings)
    settings: Mapping[str, Any] = field(factory=dict, metadata=REST, repr=False)
    """The signalling driver's own keys."""


@frozen(kw_only=True)
class IdentitySettings:
    """``[identities.NAME]``."""

    role: RoleName
    secret: Secret = field(default="", repr=False)
    secret_hash: HashedSecret = field(default="", repr=False)
    certificate: CertificateName = ""
    """A name in the client certificate of an identity that binds without a secret."""
    agents: tuple[AgentPattern, ...] = ()
    services: tuple[Name, ...] = ()
    supervises: tuple[AgentPattern, ...] = ()
    """Agent numbers whose states it may force, and whose calls it may listen to and take over."""
    may_dial: tuple[DialledStart, ...] = ()
    """How the numbers begin that its agents may call outside."""


@frozen(kw_only=True)
class LinkTables:
    """``[links]``."""

    agent: AgentLinkSettings = field(factory=AgentLinkSettings)
    ivr: IvrLinkSettings = field(factory=IvrLinkSettings)


@frozen(kw_only=True)
class _Tables:
    """The tables that are used as they stand in the file."""

    exchange: ExchangeSettings = field(factory=ExchangeSettings)
    store: StoreSettings = field(factory=StoreSettings)
    carrier: CarrierSettings = field(factory=CarrierSettings)
    signalling: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    """The own tables of signalling drivers, by name."""
    voice: VoiceTable = field(factory=VoiceTable)
    metrics: MetricsSettings = field(factory=MetricsSettings)
    audit: AuditSettings = field(factory=AuditSettings)
    limits: Limits = field(factory=Limits)
    login: LoginSettings = field(factory=LoginSettings)
    calls: CallSettings = field(factory=CallSettings)
    call_data: CallDataSettings = field(factory=CallDataSettings)
    supervision: SupervisionSettings = field(factory=SupervisionSettings)
    services: Mapping[str, ConfiguredService] = field(factory=dict)


@frozen(kw_only=True)
class FileTables(_Tables):
    """A whole file, as its tables stand in it."""

    links: LinkTables = field(factory=LinkTables)
    identities: Mapping[str, IdentitySettings] = field(factory=dict)


@frozen(kw_only=True)
class Configuration(_Tables):
    """Everything that an exchange is built from, checked."""

    agent_link: LinkSettings
    ivr_link: LinkSettings
    identities: Mapping[str, KnownIdentity]
    source: str | None = None
    """The file that it was read from; None: the built-in defaults."""
    demo_identities: bool = False
    """Whether the built-in identities, whose secret everybody knows, are in use."""
    warnings: tuple[str, ...] = ()
    """What an operator should know, a sentence each."""

    @property
    def listening(self) -> Mapping[str, str]:
        """The endpoint strings that are listened at, by their keys."""
        listens = {
            "links.agent.listen": self.agent_link.listen,
            "links.ivr.listen": self.ivr_link.listen,
            "metrics.listen": self.metrics.listen,
        }
        return {key: listen for key, listen in listens.items() if listen}


def failure_of(lines: list[str], source: str | None) -> ConfigurationError:
    """One error with a line for each thing that is wrong, the file's name in front of each."""
    where = f"{source}: " if source else ""
    return ConfigurationError("\n".join(where + line for line in lines))
