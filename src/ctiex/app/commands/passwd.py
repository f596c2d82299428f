"""``ctiex passwd``: makes the ``secret_hash`` of an identity."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass
from typing import TextIO

from twisted.python.usage import Options as UsageOptions

from ctiex.app.output import say
from ctiex.login.secret_hashes import hash_secret
from ctiex.settings.checks import is_short_text


class Options(UsageOptions):
    """The options of ``ctiex passwd``."""

    synopsis = "[--stdin]"
    longdesc = "Asks for a secret and prints the line to put under [identities.NAME] of the configuration."
    optFlags = [["stdin", None, "Read the secret from the first line of standard input; ask nothing."]]


def run(
    options: Options,
    stdout: TextIO,
    stderr: TextIO,
    ask: Callable[[str], str] = getpass,
    stdin: TextIO | None = None,
) -> int:
    """Hash a secret and print the line for the configuration; 0, or 1 without a secret.

    :param ask: shows a prompt and reads a secret without showing it.
    :param stdin: read with ``--stdin``; standard input by default.
    """
    if options["stdin"]:
        secret = (stdin or sys.stdin).readline().rstrip("\r\n")
    elif ask is getpass and not sys.stdin.isatty():
        say("there is no terminal to ask at: give the secret on standard input, with --stdin", stderr)
        return 1
    else:
        secret = ask("Secret: ")
        if ask("Again: ") != secret:
            say("the two secrets differ", stderr)
            return 1
    if not is_short_text(secret):
        say(f"a secret is text of 1 to 255 bytes, this one has {len(secret.encode(errors='replace'))}", stderr)
        return 1
    say(f'secret_hash = "{hash_secret(secret).format()}"', stdout)
    return 0
