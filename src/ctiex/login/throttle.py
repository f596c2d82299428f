"""How guessing is slowed down: each source's failed logins, without I/O; time is passed in."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict

from attrs import define, field

from ctiex.limits import Limits

_PROMPT = 2
"""So many refusals of a source go out at once: an error of typing costs nothing."""
_FIRST_DELAY = 0.25
_MOST_DOUBLINGS = 16
_MOST_GUESSES = 32
"""Of one source, so many refused guesses are known again."""
_DIGEST_SIZE = 16


@define
class _Failures:
    """How often one source has failed, and when it did last."""

    count: int
    last: float
    guesses: dict[bytes, None] = field(factory=dict, repr=False)
    """Keyed digests of its refused guesses, the oldest first."""

    def add(self, guess: bytes, now: float) -> None:
        self.count += 1
        self.last = now
        self.guesses[guess] = None
        if len(self.guesses) > _MOST_GUESSES:
            del self.guesses[next(iter(self.guesses))]


@define
class LoginThrottle:
    """Remembers failed logins by source: a growing delay before each refusal, then a lock-out.

    A source's failures are forgotten once ``limits.lock_out`` seconds have passed without a new one. A
    success wipes nothing, else a guesser with an identity of its own could go on forever. While a
    source is locked out nothing of it is checked, so the lock-out ends.

    The same guess counts once: repeating it reveals nothing, and a client with an old secret that tries
    again and again must not lock out everyone else at its address.
    """

    limits: Limits = field(factory=Limits)
    """Read at each login: ``login_failures``, ``lock_out`` and ``login_delay``."""
    most_sources: int = 10_000
    """Sources remembered at a time; the one whose last failure is the oldest goes first."""
    _sources: OrderedDict[str, _Failures] = field(factory=OrderedDict, init=False)
    _key: bytes = field(factory=lambda: os.urandom(_DIGEST_SIZE), init=False, repr=False)

    def failures(self, source: str, now: float) -> int:
        """How often this source has failed, as far as that is remembered."""
        known = self._current(source, now)
        return 0 if known is None else known.count

    def locked_for(self, source: str, now: float) -> float:
        """For how many seconds more this source is locked out; 0 if it isn't."""
        known = self._current(source, now)
        if known is None or known.count < self.limits.login_failures:
            return 0.0
        return known.last + self.limits.lock_out - now

    def was_refused(self, source: str, guess: bytes, now: float) -> bool:
        """Whether this source was refused with the same guess before, as far as that is remembered."""
        known = self._current(source, now)
        return known is not None and self._digest(guess) in known.guesses

    def failed(self, source: str, guess: bytes, now: float) -> float:
        """A login from this source was refused.

        Returns how many seconds the refusal is to wait.

        :param guess: whatever it was refused for, the secret with it; only a digest of it is kept.
        """
        self._forget(now)
        known = self._current(source, now) or _Failures(0, now)
        digest = self._digest(guess)
        if digest in known.guesses:
            return self._delay(known.count)
        known.add(digest, now)
        self._sources[source] = known
        self._sources.move_to_end(source)
        if len(self._sources) > self.most_sources:
            self._sources.popitem(last=False)
        return self._delay(known.count)

    def _digest(self, guess: bytes) -> bytes:
        return hashlib.blake2b(guess, key=self._key, digest_size=_DIGEST_SIZE).digest()

    def _delay(self, count: int) -> float:
        if count <= _PROMPT:
            return 0.0
        doublings = min(count - _PROMPT - 1, _MOST_DOUBLINGS)
        return min(_FIRST_DELAY * 2.0**doublings, self.limits.login_delay)

    def _current(self, source: str, now: float) -> _Failures | None:
        known = self._sources.get(source)
        if known is None:
            return None
        # A clock that was set back must not prolong what was meant to end.
        known.last = min(known.last, now)
        return None if now - known.last >= self.limits.lock_out else known

    def _forget(self, now: float) -> None:
        """Let go of what is too old, the oldest first."""
        while self._sources:
            source, known = next(iter(self._sources.items()))
            if now - known.last < self.limits.lock_out:
                return
            del self._sources[source]
