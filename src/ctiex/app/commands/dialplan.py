"""``ctiex dialplan``: the dialplan that an Asterisk needs on either platform."""

from __future__ import annotations

from importlib.resources import files
from typing import TextIO

from twisted.python import usage

from ctiex.app.output import write

_PLATFORMS = ("1", "2")


class Options(usage.Options):
    """The options of ``ctiex dialplan``."""

    synopsis = "{1 | 2}"
    longdesc = (
        "Prints the dialplan for an Asterisk: of platform 1, where the agents are, or of platform 2, where the"
        " automatic services are. Save it beside extensions.conf and include it there."
    )

    platform = ""

    def parseArgs(self, platform: str = "") -> None:
        """Take the platform from the command line.

        :raise UsageError: there is no such platform.
        """
        if platform not in _PLATFORMS:
            raise usage.UsageError("give the platform: 1, where the agents are, or 2, where the automatic services are")
        self.platform = platform


def run(options: Options, stdout: TextIO, stderr: TextIO) -> int:
    """Print the file; always 0."""
    write(dialplan(options.platform), stdout)
    return 0


def dialplan(platform: str) -> str:
    """The shipped dialplan of platform ``1`` or ``2``."""
    return (files("ctiex.telephony") / "dialplan" / f"platform-{platform}.conf").read_text(encoding="utf-8")
