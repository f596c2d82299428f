"""The authenticator of a listening port: checks each Bind, and decides whether it is accepted.

A refusal tells the other side nothing of its reason: unknown identity, wrong secret, wrong role
and other link are answered alike, after the same work. The log says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from attrs import define, field, frozen
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import CheckBusy, Status
from ctiex.identities import Identity
from ctiex.interfaces import IIdentity
from ctiex.limits import SessionLimits
from ctiex.login.credentials import credentials_of
from ctiex.login.throttle import LoginThrottle
from ctiex.messages import Bind, Role
from ctiex.monitoring.observer import Observer

_log = Logger()

_OF_THE_TIME_LEFT = 0.9
"""A delayed refusal goes out before the login deadline ends the link."""


@frozen
class PeerInfo:
    """Who knocks, as far as the transport tells."""

    role: Role
    """The role of the listening port."""
    source: str
    """What limits count it by."""
    private: bool
    """Whether no one on the network path can read it."""
    names: tuple[str, ...]
    """The names in its verified certificate."""
    answer_by: float
    """When the link ends unless it is bound, in clock seconds."""


@frozen
class LoginDecision:
    """What came of a Bind."""

    status: Status
    identity: Identity | None = None
    """Who it is; None for anyone who is refused."""
    detail: str = ""
    """What the other side hears."""
    reason: str = ""
    """Why, for log and audit."""
    in_floods: bool = False
    """Whether one peer can bring as many of these about as it likes: not a line of the log for each."""
    counter: str = ""
    """The attribute of `ctiex.monitoring.counters.Counters` that counts these apart; empty if none does."""


Hears = Callable[[LoginDecision], None]

_PLAIN = LoginDecision(
    Status.REFUSED_CREDENTIALS,
    detail="a secret is accepted over TLS or on loopback only",
    reason="a secret over plain TCP from beyond loopback, which plain_secrets refuses",
    in_floods=True,
    counter="plain_secrets_refused",
)
_LOCKED_OUT = LoginDecision(
    Status.TOO_BUSY,
    detail="too many refused logins from this address; try again later",
    reason="its source is locked out",
    in_floods=True,
    counter="logins_locked_out",
)
_BUSY = LoginDecision(
    Status.TOO_BUSY,
    detail="too many secrets are being checked",
    reason="too many secrets are being checked",
    in_floods=True,
    counter="logins_over_limit",
)
_UNCHECKED = LoginDecision(Status.INTERNAL, detail="the identity could not be checked", reason="the check failed")


def _refusal(reason: str, in_floods: bool = False) -> LoginDecision:
    status = Status.REFUSED_CREDENTIALS
    return LoginDecision(status, detail=status.text, reason=reason, in_floods=in_floods)


_REPEATED = _refusal("the same login as one refused before", in_floods=True)


@define(eq=False)
class Authenticator:
    """What the Binds of one listening port are looked at with."""

    clock: IReactorTime
    portal: Portal
    throttle: LoginThrottle
    """Shared by the authenticators of all links of an exchange."""
    observer: Observer
    link: SessionLimits
    """Says whether a secret is taken over plain TCP from beyond loopback."""


@define(eq=False)
class LoginAttempt:
    """One Bind that is looked at."""

    _authenticator: Authenticator
    _bind: Bind = field(repr=False)
    _peer_info: PeerInfo
    _refused: Hears
    """Hears of a refusal as soon as it is certain, also after ``leave``: who guesses and goes has guessed."""
    _decided: Hears
    """Hears the verdict when it is to be answered, at once or later; not at all after ``leave``."""
    _login: Deferred[Any] | None = field(default=None, init=False)
    _delay: IDelayedCall | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)
    """Whether the secret is being hashed, so that this guess counts, awaited or not."""
    _gone: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Look who it is."""
        unseen = self._refused_unseen()
        if unseen is not None:
            self._refuse(unseen)
            return
        peer_info = self._peer_info
        if not peer_info.names and self._was_refused():
            self._failed(_REPEATED.reason)
            return
        role = peer_info.role if self._bind.role is peer_info.role else None
        credentials = credentials_of(self._bind, peer_info.names, peer_info.source, role, self._wanted)
        self._login = login = self._authenticator.portal.login(credentials, None, IIdentity)
        login.addCallbacks(self._known, self._unknown)
        login.addErrback(lambda failure: _log.failure("a Bind could not be answered", failure))

    def leave(self) -> None:
        """The link is gone: nothing waits any more."""
        self._gone = True
        if self._delay is not None:
            self._delay.cancel()
        if self._login is not None and not self._begun:
            self._login.cancel()
        self._login = self._delay = None

    @property
    def _now(self) -> float:
        return self._authenticator.clock.seconds()

    # ------------------------------------------------------------ before the secret is looked at

    def _refused_unseen(self) -> LoginDecision | None:
        if not self._peer_info.private and self._authenticator.link.plain_secrets != "allowed":
            return _PLAIN
        # A certificate can't be guessed, so its owner isn't locked out for what others at its address did.
        return None if self._peer_info.names else self._locked_out()

    def _was_refused(self) -> bool:
        """Whether nothing can come of it that didn't before: it isn't checked again, and counts no more."""
        return self._authenticator.throttle.was_refused(self._peer_info.source, self._guess(), self._now)

    def _guess(self) -> bytes:
        """All that its refusal may be due to."""
        bind, peer_info = self._bind, self._peer_info
        return repr((peer_info.role.value, bind.role.value, bind.identity, bind.secret, peer_info.names)).encode()

    def _locked_out(self) -> LoginDecision | None:
        return _LOCKED_OUT if self._authenticator.throttle.locked_for(self._peer_info.source, self._now) else None

    def _wanted(self) -> bool:
        self._begun = not self._gone and self._locked_out() is None
        return self._begun

    # ------------------------------------------------------------ once it was looked at

    def _known(self, avatar: tuple[object, object, Callable[[], None]]) -> None:
        identity = cast(Identity, avatar[1])
        if identity.role is self._bind.role is self._peer_info.role:
            self._decide(LoginDecision(Status.OK, identity))
        else:
            self._failed(f"an identity of the role {identity.role.name.lower()}")

    def _unknown(self, failure: Failure) -> None:
        if failure.check(LoginFailed):
            self._failed(str(failure.value) or "identity or secret")
        elif self._gone:
            return
        elif failure.check(CheckBusy):
            self._refuse(self._locked_out() or _BUSY)
        else:
            _log.failure("an identity could not be checked", failure)
            self._refuse(_UNCHECKED)

    def _failed(self, reason: str) -> None:
        """Count it against the source, and refuse when its time has come."""
        locked_out = self._locked_out() if self._peer_info.names else None
        if locked_out is not None:
            self._refuse(locked_out)
            return
        repeated = self._was_refused()
        delay = self._authenticator.throttle.failed(self._peer_info.source, self._guess(), self._now)
        if not repeated:
            self._tell_of_lock_out()
        time_left = self._peer_info.answer_by - self._now
        self._refuse(_REPEATED if repeated else _refusal(reason), min(delay, time_left * _OF_THE_TIME_LEFT))

    def _refuse(self, verdict: LoginDecision, delay: float = 0) -> None:
        self._refused(verdict)
        if delay > 0 and not self._gone:
            self._delay = self._authenticator.clock.callLater(delay, self._decide, verdict)
        else:
            self._decide(verdict)

    def _tell_of_lock_out(self) -> None:
        authenticator, source = self._authenticator, self._peer_info.source
        limits = authenticator.throttle.limits
        if authenticator.throttle.failures(source, self._now) == limits.login_failures:
            authenticator.observer.source_locked_out(source, limits.lock_out, limits.login_failures)

    def _decide(self, verdict: LoginDecision) -> None:
        self._login = self._delay = None
        if not self._gone:
            self._decided(verdict)
