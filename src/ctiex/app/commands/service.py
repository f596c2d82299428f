"""``ctiex service NAME``: one of the built-in automatic services, bound to an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TextIO

from twisted.internet.defer import DeferredLock
from twisted.python.usage import UsageError

from ctiex.app.commands.accounts import AccountOptions, serve
from ctiex.app.commands.interspersed_options import InterspersedOptions
from ctiex.app.commands.voice import listen_at, serve_calls
from ctiex.app.output import say
from ctiex.clients import AutomaticService, Handler, ServedCall
from ctiex.clients.voice import ANY_PATH, VoiceServices
from ctiex.config.reading import DEMO_SERVICES
from ctiex.errors import ConfigurationError
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.links.descriptors import allow_all
from ctiex.plugins import build_plugin
from ctiex.services import BUILT_IN
from ctiex.services.outcome import Outcome
from ctiex.services.serving import handler_of


class Options(InterspersedOptions, AccountOptions):
    """The options of ``ctiex service``."""

    synopsis = f"[options] {{{' | '.join(BUILT_IN)}}}"
    longdesc = (
        "Runs an automatic service until it is interrupted. At the terminal you play the customer; a scripted"
        " customer types what --typed says, in every call."
    )
    optParameters = [
        ["access-code", None, None, "The access code of the service; by default that of the demo's configuration."],
        ["media", None, "terminal", "The kind of media: terminal, scripted or a plugin's."],
        ["typed", None, None, "What a scripted customer types at each question, separated by commas: 12,246810"],
        ["listen", None, None, "An endpoint where the exchange may dial (signalling = dial): tcp:7400"],
        ["agi", None, None, "Serve an Asterisk's customers, who come by AGI to tcp:4573:interface=127.0.0.1"],
    ]

    name = ""

    def parseArgs(self, name: str = "") -> None:
        """Take the service's name from the command line.

        :raise UsageError: there is no such service.
        """
        if name not in BUILT_IN:
            raise UsageError(f"service {name!r}: expected one of {', '.join(BUILT_IN)}")
        self.name = name

    def postOptions(self) -> None:
        """See that the options fit each other.

        :raise UsageError: there is a script, but no scripted media.
        """
        if not self.name:
            raise UsageError(f"give the service: one of {', '.join(BUILT_IN)}")
        if self["typed"] is not None and self["media"] == "terminal":
            raise UsageError("--typed needs --media scripted: at the terminal you type yourself")
        if self["agi"] is not None and (self["media"] != "terminal" or self["listen"] is not None):
            raise UsageError("--agi can't be combined with --media or --listen")

    @property
    def access_code(self) -> str:
        """The access code that the exchange's configuration gives the service."""
        return str(self["access-code"] or DEMO_SERVICES[self.name]["access_code"])

    def media_settings(self) -> Mapping[str, Any]:
        """What the media plugin gets."""
        return {} if self["typed"] is None else {"typed": self["typed"].split(",")}


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Serve until the process is interrupted; 1 when the exchange refuses the identity.

    :raise UsageError: an option's value is invalid.
    """
    allow_all()
    if options["agi"] is not None:
        voice = VoiceServices(reactor, options.account(reactor), {ANY_PATH: BUILT_IN[options.name]()})
        return await serve_calls(voice, options, options["agi"], [f"{options.name} is ready"], reactor, stdout, stderr)
    service = AutomaticService(
        reactor,
        options.account(reactor),
        {options.access_code: _one_at_a_time(handler_of(BUILT_IN[options.name]()), options, stdout)},
        _media(options, reactor),
    )
    if options["listen"] is not None:
        await listen_at(service.listen, options["listen"], reactor, "--listen")
    ready = f"{options.name} is ready under access code {options.access_code}"
    return await serve(service, options, [ready], reactor, stdout, stderr)


def _media(options: Options, reactor: Any) -> Any:
    try:
        build = partial(build_plugin, IMediaPlugin, options["media"], options.media_settings(), reactor)
        if options["media"] != "terminal":
            build()  # so that invalid settings are reported now, not at the first customer
    except ConfigurationError as error:
        raise UsageError(f"--media: {error}") from None

    def make(call: ServedCall) -> IMedia:
        media: IMedia = build()
        return media

    return make


def _one_at_a_time(handler: Handler, options: Options, stdout: TextIO) -> Handler:
    """Say who comes and goes; at the terminal one customer waits for the other."""
    turns = DeferredLock()

    async def handle(call: ServedCall) -> Outcome:
        if options["media"] == "terminal":
            await turns.acquire()
        try:
            say(f"call {call.serial} from {call.calling_number}", stdout)
            outcome = await handler(call)
            say(f"call {call.serial}: {outcome.condition.text}", stdout)
            return outcome
        finally:
            if options["media"] == "terminal":
                turns.release()

    return handle
