"""A checker of secrets that another program keeps: a file with a line ``NAME:scrypt$...`` for each identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.plugin import IPlugin
from zope.interface import Interface, implementer

from ctiex.errors import CheckBusy
from ctiex.interfaces import CheckerContext, IBindCredentials, ICheckerPlugin
from ctiex.login.secret_hashes import SecretHash, hash_secret
from ctiex.settings import FileName

# ---------------------------------------------------------------- the checker


@implementer(ICredentialsChecker)
@define
class FileChecker:
    """Reads the file again for each Bind, in a thread, since reading and hashing take their time."""

    _path: Path
    _reactor: Any
    _nobody: SecretHash
    """What is hashed for an unknown name, so that it costs what a known one does."""
    _waiting: int = 0
    credentialInterfaces: tuple[type[Interface], ...] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """The name, if the file has it with the hash of this secret."""
        if self._waiting >= 20:
            raise CheckBusy("too many secrets are being checked")
        if IBindCredentials.providedBy(credentials) and not credentials.wanted():
            raise CheckBusy("nobody waits any more")  # its source was locked out meanwhile
        self._waiting += 1
        name, secret = credentials.username, credentials.password
        checked = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._check, name, secret)
        return checked.addBoth(self._checked)

    def _check(self, name: bytes, secret: bytes) -> bytes:
        lines = (line.partition(b":") for line in self._path.read_bytes().splitlines())
        hashes = {known: SecretHash.parse(text.decode()) for known, _, text in lines}
        if hashes.get(name, self._nobody).matches(secret) and name in hashes and secret:
            return name
        raise UnauthorizedLogin("not in the file")

    def _checked(self, outcome: Any) -> Any:
        self._waiting -= 1
        return outcome


@frozen(kw_only=True)
class FileCheckerSettings:
    """The checker's own key."""

    path: FileName


@implementer(IPlugin, ICheckerPlugin)
class FileCheckerPlugin:
    """``[login] checker = "file"`` with its key ``path``."""

    name = "file"
    settings = FileCheckerSettings

    def build(self, settings: FileCheckerSettings, context: CheckerContext) -> ICredentialsChecker:
        """A checker over the file ``path``."""
        return FileChecker(Path(settings.path), context.reactor, hash_secret("nobody's"))


file_checker = FileCheckerPlugin()
