"""``ctiex voice``: the built-in automatic services for customers who come by telephone, through an Asterisk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TextIO

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.usage import UsageError

from ctiex.app.commands.accounts import AccountOptions, serve
from ctiex.app.output import say
from ctiex.clients.voice import VoiceServices, VoiceSettings
from ctiex.config.carriers import build_carriers
from ctiex.config.endpoints import EXPECTED, read_endpoint
from ctiex.config.model import CarrierSettings, Configuration
from ctiex.config.reading import load
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ISerialCarrier
from ctiex.links.descriptors import allow_all
from ctiex.services import BUILT_IN
from ctiex.telephony.asterisk.allowed_hosts import Sources
from ctiex.telephony.asterisk.sounds import Sounds

DEFAULT_PATHS: Mapping[str, str] = {
    "password": "password-authentication",
    "bill": "bill-broadcast",
    "number": "number-broadcast",
}
"""The built-in services by the path of an AGI call, where the configuration names none."""
MADE_UP = frozenset({"password-authentication", "bill-broadcast"})
"""Those that know made-up customers alone, unless a program gives them a directory of its own."""


class Options(AccountOptions):
    """The options of ``ctiex voice``."""

    longdesc = (
        "Serves the customers that an Asterisk's dialplan hands over by AGI(agi://HOST:4573/PATH), until it is"
        f" interrupted. PATH chooses the service: {', '.join(DEFAULT_PATHS)}, or what [voice.services] says."
    )
    optParameters = [
        ["config", "c", None, "A configuration file; its tables [voice] and [carrier] apply here."],
        ["listen", None, None, "Where the Asterisk connects, in place of the configuration's voice.listen."],
    ]

    def configuration(self) -> Configuration:
        """The configuration in the file, or the built-in one.

        :raise UsageError: it can't be used.
        """
        try:
            return load(self["config"])
        except ConfigurationError as error:
            raise UsageError(f"--config: {error}") from None


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Serve until the process is interrupted; 1 when the exchange refuses the identity.

    :raise UsageError: an option's value is invalid.
    """
    allow_all()
    configuration = options.configuration()
    table = configuration.voice
    paths = table.services or DEFAULT_PATHS
    for name in sorted(MADE_UP.intersection(paths.values())):
        say(f"warning: {name} knows only made-up customers, whose data is public", stderr)
    voice = VoiceServices(
        reactor,
        options.account(reactor),
        {path: BUILT_IN[name]() for path, name in paths.items()},
        VoiceSettings(
            Sounds.with_own(table.prompts),
            Sources.of(table.allow),
            table.data_within,
            table.told_within,
            table.max_calls,
        ),
        _carrier(configuration),
    )
    ready = [f"{name} at agi://HOST/{path} is ready" for path, name in paths.items()]
    return await serve_calls(voice, options, options["listen"] or table.listen, ready, reactor, stdout, stderr)


async def serve_calls(
    voice: VoiceServices,
    options: AccountOptions,
    listen: str,
    ready: list[str],
    reactor: Any,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Listen, bind, and serve until the process is interrupted; 1 when the exchange refuses the identity.

    :param ready: what to print once it is bound, a line each.
    :raise UsageError: it can't listen there.
    """
    await listen_at(voice.listen, listen, reactor, "the address for AGI calls")
    say(f"accepting AGI calls at {listen}", stdout)
    return await serve(voice, options, ready, reactor, stdout, stderr)


async def listen_at(
    take: Callable[[IStreamServerEndpoint], Awaitable[object]], listen: str, reactor: Any, what: str
) -> None:
    """Listen at an endpoint string.

    :param what: what it is for, in the words of an error.
    :raise UsageError: it isn't an endpoint, or it isn't free.
    """
    try:
        read_endpoint(listen)
        await take(serverFromString(reactor, listen))
    except ConfigurationError as error:
        raise UsageError(f"{what}: {error}") from None
    except CannotListenError as error:
        raise UsageError(f"{what}: {error}, expected {EXPECTED} that is free") from None


def _carrier(configuration: Configuration) -> ISerialCarrier | None:
    """The carrier of the file; where it says nothing of one, whichever arrives is taken."""
    if configuration.carrier == CarrierSettings():
        return None
    try:
        carriers = build_carriers(configuration.carrier)
    except ConfigurationError as error:
        raise UsageError(f"carrier: {error}") from None
    return carriers.network or carriers.connection
