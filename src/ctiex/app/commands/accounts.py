"""What the commands that talk to an exchange have in common: where it is, and who they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from ctiex.app.config import DEMO_SECRET
from ctiex.clients import ExchangeAccount
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ICodecPlugin
from ctiex.plugins import find_plugin

SECRET_VARIABLE = "CTIEX_SECRET"


class AccountOptions(UsageOptions):
    """``--exchange``, ``--identity``, ``--secret-file`` and ``--codec``."""

    optParameters = [
        ["exchange", "e", None, "Endpoint of the exchange's link: tcp:HOST:PORT or tls:HOST:PORT."],
        ["identity", "i", None, "The identity to bind under."],
        ["secret-file", None, None, f"A file with its secret; ${SECRET_VARIABLE} otherwise, else the demo's."],
        ["codec", None, "binary", "The codec of the link: binary, json or a plugin's."],
    ]

    def account(self, reactor: Any, environment: Mapping[str, str] = os.environ) -> ExchangeAccount:
        """The account that the options name.

        :raise UsageError: an option's value is no good.
        """
        try:
            endpoint = clientFromString(reactor, self["exchange"])
        except Exception as error:  # every endpoint parser raises what it likes
            raise UsageError(
                f"--exchange: {self['exchange']!r} is no endpoint such as tcp:HOST:PORT ({error})"
            ) from None
        try:
            codec = find_plugin(ICodecPlugin, self["codec"]).build()
        except ConfigurationError as error:
            raise UsageError(f"--codec: {error}") from None
        return ExchangeAccount(endpoint, self["identity"], self._secret(environment), codec)

    def _secret(self, environment: Mapping[str, str]) -> str:
        if self["secret-file"] is None:
            return environment.get(SECRET_VARIABLE, DEMO_SECRET)
        try:
            return Path(self["secret-file"]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--secret-file: {self['secret-file']}: {error}") from None
