"""``ctiex dialplan``: the dialplan that an Asterisk needs on either platform."""

from __future__ import annotations

from importlib.resources import files
from typing import TextIO

from twisted.python import usage

from ctiex.app.output import write

_FILES = {"1": "platform-1", "2": "platform-2", "calls": "calls"}


class Options(usage.Options):
    """The options of ``ctiex dialplan``."""

    synopsis = "{1 | 2 | calls}"
    longdesc = (
        "Prints the dialplan for an Asterisk: of platform 1, where the agents are, or of platform 2, where the"
        " automatic services are; or, with calls, what platform 1 needs beside its own where calls are controlled."
        " Save it beside extensions.conf and include it there."
    )

    platform = ""

    def parseArgs(self, platform: str = "") -> None:
        """Take the platform from the command line.

        :raise UsageError: there is no such platform.
        """
        if platform not in _FILES:
            raise usage.UsageError(
                "give the platform: 1, where the agents are, or 2, where the automatic services are; or calls, for call"
                " control on platform 1"
            )
        self.platform = platform


def run(options: Options, stdout: TextIO, stderr: TextIO) -> int:
    """Print the file; always 0."""
    write(dialplan(options.platform), stdout)
    return 0


def dialplan(platform: str) -> str:
    """The shipped dialplan of platform ``1`` or ``2``, or ``calls``."""
    return (files("ctiex.telephony") / "dialplan" / f"{_FILES[platform]}.conf").read_text(encoding="utf-8")
