"""``ctiex conformance agent|service``: plays the exchange against somebody's own client, and does what is rare."""

from __future__ import annotations

from typing import Any, TextIO

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.usage import UsageError

from ctiex.app.commands.interspersed_options import InterspersedOptions
from ctiex.app.commands.voice import listen_at
from ctiex.app.output import say
from ctiex.interfaces import ICodec, ICodecPlugin
from ctiex.messages import Role
from ctiex.plugins import find_plugin
from ctiex.testing.conformance.children import ClientCommand
from ctiex.testing.conformance.kit import Kit, cases_of
from ctiex.testing.conformance.verdicts import CaseOutcome, Verdict, summary
from ctiex.testing.conformance.waits import Patience

_ROLES = {role.name.lower(): role for role in Role}


class Options(InterspersedOptions):
    """The options of ``ctiex conformance``."""

    synopsis = f"[options] {{{' | '.join(_ROLES)}}}"
    longdesc = (
        "Plays the exchange against a client of yours, and says what the client should have done and what it did. The"
        " client binds under any identity; an agent's hands one customer over to the service conformance as agent 1001,"
        " a service's takes customers under access code 7000. See docs/conformance.rst. Exit code 0: nothing failed."
    )
    optParameters = [
        ["listen", "l", "tcp:7300:interface=127.0.0.1", "Endpoint where the client is to connect."],
        ["codec", None, "binary", "The codec of the link: binary or json."],
        ["client", None, None, "A command that starts the client, anew for each case; it finds CONFORMANCE_PORT,"
                               " CONFORMANCE_CODEC, CONFORMANCE_ROLE and CONFORMANCE_CASE in its environment."],
        ["patience", None, 60.0, "How long the client may take to do what it should, in seconds.", float],
        ["settle", None, 2.0, "How long to watch that it does no more than it should, in seconds.", float],
    ]  # fmt: skip
    optFlags = [["list", None, "List the cases, and play none."]]

    role: Role

    def __init__(self) -> None:
        super().__init__()
        self.only: list[str] = []

    def opt_only(self, name: str) -> None:
        """Play this case alone; may be repeated."""
        self.only.append(name)

    def parseArgs(self, role: str = "") -> None:
        """Take the client's role from the command line.

        :raise UsageError: there is no such role.
        """
        if role not in _ROLES:
            raise UsageError(f"role {role!r}: expected {' or '.join(_ROLES)}")
        self.role = _ROLES[role]

    def postOptions(self) -> None:
        """Hold the values against what is expected.

        :raise UsageError: one is invalid.
        """
        for name in ("patience", "settle"):
            if not self[name] > 0:
                raise UsageError(f"--{name}: found {self[name]}, expected seconds above 0")
        known = [case.name for case in cases_of(self.role)]
        for name in self.only:
            if name not in known:
                raise UsageError(f"--only: there is no case {name!r}; --list shows them")

    def codec(self) -> ICodec:
        """The codec of the links.

        :raise UsageError: there is no such codec, or the cases aren't for it.
        """
        if self["codec"] not in ("binary", "json"):
            raise UsageError(f"--codec: found {self['codec']!r}, expected binary or json")
        codec: ICodec = find_plugin(ICodecPlugin, self["codec"]).build()
        return codec


async def run(options: Options, reactor: Any, stdout: TextIO, stderr: TextIO) -> int:
    """Play the cases; 1 when one failed, or none was seen.

    :raise UsageError: an option's value is invalid.
    """
    codec = options.codec()
    cases = [case for case in cases_of(options.role, codec) if not options.only or case.name in options.only]
    if options["list"]:
        for case in cases:
            say(f"{case.name}: should {case.should}", stdout)
        return 0
    kit = Kit(reactor, options.role, codec, Patience(options["patience"], options["settle"]))
    port = await _listen(kit, options["listen"], reactor)
    kit.client = _client(options, port, reactor)
    say(f"waiting for the client at {_place(port) or options['listen']}", stderr)
    try:
        verdicts = await kit.run(cases, lambda verdict: say(verdict.line, stdout))
    finally:
        kit.close()
        await maybeDeferred(port.stopListening)
    say(summary(verdicts), stdout)
    return exit_code(verdicts)


def exit_code(verdicts: list[Verdict]) -> int:
    """0 when something was seen, and nothing failed."""
    outcomes = {verdict.outcome for verdict in verdicts}
    return 0 if CaseOutcome.OK in outcomes and CaseOutcome.FAILED not in outcomes else 1


async def _listen(kit: Kit, listen: str, reactor: Any) -> IListeningPort:
    ports: list[IListeningPort] = []

    async def take(endpoint: IStreamServerEndpoint) -> None:
        ports.append(await endpoint.listen(kit.factory))

    await listen_at(take, listen, reactor, "--listen")
    return ports[0]


def _place(port: IListeningPort) -> str:
    """Where it listens; empty where that has no number, as a Unix socket."""
    address: Any = port.getHost()
    return f"{address.host}:{address.port}" if hasattr(address, "port") else ""


def _client(options: Options, port: IListeningPort, reactor: Any) -> ClientCommand | None:
    if options["client"] is None:
        return None
    surroundings = {"CONFORMANCE_CODEC": options["codec"], "CONFORMANCE_ROLE": options.role.name.lower()}
    surroundings["CONFORMANCE_PORT"] = _place(port).rpartition(":")[2]
    return ClientCommand(reactor, options["client"], surroundings)
