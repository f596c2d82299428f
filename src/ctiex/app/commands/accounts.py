"""What the commands that talk to an exchange have in common: where it is, and who they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python import usage

from ctiex.app.output import Stream, say
from ctiex.clients import AutomaticService, ExchangeAccount
from ctiex.clients.voice import VoiceServices
from ctiex.config.reading import DEMO_SECRET
from ctiex.errors import BindRefused, ConfigurationError, NotBound, Status, TlsRefused, UnsafeLink
from ctiex.extras import need
from ctiex.interfaces import ICodecPlugin
from ctiex.links.endpoints import Destination, client_endpoint, read_destination
from ctiex.plugins import find_plugin

SECRET_VARIABLE = "CTIEX_SECRET"
DEMO_IDENTITIES = frozenset({"agent-demo", "service-demo"})
"""Those of an exchange that is configured with none: everybody knows their secret."""


class AccountOptions(usage.Options):
    """``--exchange``, ``--identity``, ``--secret-file``, ``--codec`` and ``--plain-secrets``."""

    optParameters = [
        ["exchange", "e", None, "Endpoint of the exchange's link: tcp:HOST:PORT or tls:HOST:PORT[:trustRoots=FOLDER]."],
        ["identity", "i", None, "The identity to bind under."],
        [
            "secret-file",
            None,
            None,
            f"A file with its secret; ${SECRET_VARIABLE} otherwise. The demo's identities need none on this machine.",
        ],
        ["codec", None, "binary", "The codec of the link: binary, json or a plugin's."],
    ]
    optFlags = [
        [
            "plain-secrets",
            None,
            "Allow plain TCP, where anyone on the network path can read the secret, numbers and fields.",
        ]
    ]

    _demo_secret = False

    def __init__(self, exchange: str = "tcp:127.0.0.1:7301", identity: str = "service-demo") -> None:
        """Options with the default exchange and identity of a service, unless others are given."""
        super().__init__()
        self["exchange"] = exchange
        self["identity"] = identity

    def refused(self, error: BindRefused) -> str:
        """What to say of an exchange that refuses the identity."""
        guessed = self._demo_secret and error.status == Status.REFUSED_CREDENTIALS
        hint = f"; no secret was given, so the demo's was tried: give --secret-file FILE, or {SECRET_VARIABLE}"
        return f"the exchange refuses {self['identity']}: {error}{hint if guessed else ''}"

    def account(self, reactor: Any, environment: Mapping[str, str] = os.environ) -> ExchangeAccount:
        """The account that the options name.

        :raise UsageError: an option's value is invalid.
        """
        endpoint, destination = self._endpoint(reactor)
        try:
            codec = find_plugin(ICodecPlugin, self["codec"]).build()
        except ConfigurationError as error:
            raise usage.UsageError(f"--codec: {error}") from None
        secret = self._secret(environment, destination)
        return ExchangeAccount(endpoint, self["identity"], secret, codec, plain_secrets=bool(self["plain-secrets"]))

    def _endpoint(self, reactor: Any) -> tuple[IStreamClientEndpoint, Destination]:
        exchange: str = self["exchange"]
        try:
            destination = read_destination(exchange)
            if destination.kind == "ssl":
                raise ConfigurationError(
                    "ssl: doesn't verify the server's certificate; use tls:HOST:PORT[:trustRoots=FOLDER]"
                )
            if destination.kind == "tls":
                need("tls", "TLS")
                _check_trust_roots(destination)
            return client_endpoint(reactor, exchange), destination
        except ConfigurationError as error:
            raise usage.UsageError(f"--exchange: {error}") from None

    def _secret(self, environment: Mapping[str, str], destination: Destination) -> str:
        if self["secret-file"] is None:
            secret = environment.get(SECRET_VARIABLE)
            return self._known_secret(destination) if secret is None else secret
        try:
            return Path(self["secret-file"]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise usage.UsageError(f"--secret-file: {self['secret-file']}: {error}") from None

    def _known_secret(self, destination: Destination) -> str:
        """The secret of an identity for which none was given.

        :raise UsageError: one is needed.
        """
        identity = self["identity"]
        if "certificate" in destination.options:
            return ""
        if identity in DEMO_IDENTITIES and destination.is_local:
            self._demo_secret = True
            return DEMO_SECRET
        known = " (the demo's is for exchanges on this machine)" if identity in DEMO_IDENTITIES else ""
        raise usage.UsageError(
            f"no secret was given for identity {identity!r}{known}: expected --secret-file FILE, or the variable"
            f" {SECRET_VARIABLE}, which may be empty where the exchange asks for none"
        )


def _check_trust_roots(destination: Destination) -> None:
    """Check that there are authorities: Twisted accepts a folder without any, and then trusts no certificate."""
    named = destination.options.get("trustRoots")
    if named is None:
        return
    folder = Path(named)
    if not any(path.suffix.lower() == ".pem" for path in (folder.iterdir() if folder.is_dir() else ())):
        raise ConfigurationError(
            f"trustRoots={folder}: found no *.pem files, expected a folder with the certificates of authorities"
        )


async def serve(
    client: AutomaticService | VoiceServices,
    options: AccountOptions,
    ready: list[str],
    reactor: Any,
    stdout: Stream,
    stderr: Stream,
) -> int:
    """Bind, and serve until the process is interrupted; 1 once the exchange has refused the identity.

    :param ready: what to print once it is bound, a line each.
    """
    client.startService()
    reactor.addSystemEventTrigger("before", "shutdown", client.stopService)
    try:
        await client.bound()
    except NotBound:
        return 0  # interrupted before the exchange was there
    except BindRefused as refused:
        say(options.refused(refused), stderr)
    except (TlsRefused, UnsafeLink) as error:
        say(f"{options['identity']} can't bind: {error}", stderr)
    else:
        for line in ready:
            say(line, stdout)
        await Deferred()
    await client.stopService()
    return 1
