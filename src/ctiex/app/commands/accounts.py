"""What the commands that talk to an exchange have in common: where it is, and who they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from ctiex.app.config import DEMO_SECRET
from ctiex.clients import ExchangeAccount
from ctiex.errors import ConfigurationError
from ctiex.extras import need
from ctiex.interfaces import ICodecPlugin
from ctiex.plugins import find_plugin

SECRET_VARIABLE = "CTIEX_SECRET"


class AccountOptions(UsageOptions):
    """``--exchange``, ``--identity``, ``--secret-file``, ``--codec`` and ``--plain-secrets``."""

    optParameters = [
        ["exchange", "e", None, "Endpoint of the exchange's link: tcp:HOST:PORT or tls:HOST:PORT[:trustRoots=FOLDER]."],
        ["identity", "i", None, "The identity to bind under."],
        ["secret-file", None, None, f"A file with its secret; ${SECRET_VARIABLE} otherwise, else the demo's."],
        ["codec", None, "binary", "The codec of the link: binary, json or a plugin's."],
    ]
    optFlags = [
        ["plain-secrets", None, "Send the secret over plain TCP too, where whoever stands on the way reads it."]
    ]

    def account(self, reactor: Any, environment: Mapping[str, str] = os.environ) -> ExchangeAccount:
        """The account that the options name.

        :raise UsageError: an option's value is no good.
        """
        endpoint = self._endpoint(reactor)
        try:
            codec = find_plugin(ICodecPlugin, self["codec"]).build()
        except ConfigurationError as error:
            raise UsageError(f"--codec: {error}") from None
        secret, plain_secrets = self._secret(environment), bool(self["plain-secrets"])
        return ExchangeAccount(endpoint, self["identity"], secret, codec, plain_secrets=plain_secrets)

    def _endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        exchange: str = self["exchange"]
        kind = exchange.partition(":")[0]
        if kind == "ssl":
            raise UsageError("--exchange: ssl: doesn't verify who answers; use tls:HOST:PORT[:trustRoots=FOLDER]")
        try:
            if kind == "tls":
                need("tls", "TLS")
                _check_trust_roots(exchange)
            endpoint: IStreamClientEndpoint = clientFromString(reactor, exchange)
            return endpoint
        except ConfigurationError as error:
            raise UsageError(f"--exchange: {error}") from None
        except Exception as error:  # every endpoint parser raises what it likes
            raise UsageError(f"--exchange: {exchange!r} is no endpoint such as tcp:HOST:PORT ({error})") from None

    def _secret(self, environment: Mapping[str, str]) -> str:
        if self["secret-file"] is None:
            by_certificate = ":certificate=" in self["exchange"]
            return environment.get(SECRET_VARIABLE, "" if by_certificate else DEMO_SECRET)
        try:
            return Path(self["secret-file"]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--secret-file: {self['secret-file']}: {error}") from None


def _check_trust_roots(endpoint: str) -> None:
    """See that there are authorities: Twisted takes a folder without any, and trusts nobody."""
    named = re.search(r":trustRoots=((?:\\.|[^:\\])*)", endpoint)
    if named is None:
        return
    folder = Path(re.sub(r"\\(.)", r"\1", named[1]))
    if not any(path.suffix.lower() == ".pem" for path in (folder.iterdir() if folder.is_dir() else ())):
        raise ConfigurationError(
            f"trustRoots={folder}: found no such files, expected a folder with authorities in *.pem"
        )
