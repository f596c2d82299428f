"""What an operator reads in the log of links and logins; of what comes in floods, one line in a while."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ctiex.errors import Status
from ctiex.monitoring.log_limiter import LogLimiter
from ctiex.monitoring.observer import LinkInfo, Observer

_log = Logger()


class EventLog(Observer):
    """Logs what becomes of links."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._limiter = LogLimiter()

    def _allows(self, kind: str, link: LinkInfo | None) -> bool:
        """Of each of the two ports by itself."""
        return self._limiter.allows(f"{link and link.role} {kind}", self._clock.seconds())

    def connection_refused(self, link: LinkInfo | None, reason: str, counter: str, source: str) -> None:
        """Of each reason one in a while."""
        if self._allows(counter, link):
            _log.warn("connection from {source} closed at once: {why}", source=source, why=reason)

    def source_locked_out(self, source: str, seconds: float, failures: int) -> None:
        """Each of them."""
        _log.warn("{source} is locked out for {seconds:g} s after {failures} refused logins", source=source,
                  seconds=seconds, failures=failures)  # fmt: skip

    def link_bound(self, link: LinkInfo, software: str) -> None:
        """Each of them."""
        _log.info("{identity} bound as session {session} from {peer} with {software!r}", identity=link.identity,
                  session=link.session, peer=link.peer, software=software[:64])  # fmt: skip

    def bind_refused(
        self, link: LinkInfo, claimed: str, status: Status, reason: str, in_floods: bool, counter: str
    ) -> None:
        """What one peer can bring about as often as it likes, once in a while."""
        if not in_floods or self._allows(reason, link):
            _log.warn("bind of {identity!r} from {peer} refused: {status} ({reason})", identity=claimed[:64],
                      peer=link.peer, status=status.text, reason=reason)  # fmt: skip

    def link_cut(self, link: LinkInfo, reason: str, counter: str) -> None:
        """Each bound one; others may connect again at once, as often as they like."""
        if link.identity or self._allows(reason, link):
            _log.warn("session {session} of {identity} from {peer} cut off: {why}", session=link.session,
                      identity=link.identity or None, peer=link.peer, why=reason)  # fmt: skip

    def link_ended(self, link: LinkInfo, reason: str) -> None:
        """That of a bound one."""
        if link.identity:
            _log.info("session {session} of {identity} ended: {reason}", session=link.session, identity=link.identity,
                      reason=reason)  # fmt: skip

    def error_received(self, link: LinkInfo, status: int) -> None:
        """One in a while."""
        if self._allows("error received", link):
            _log.info("session {session} received an Error: {status}", session=link.session,
                      status=Status.of(status).text)  # fmt: skip
