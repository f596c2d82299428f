"""What happens in floods is logged once in a while."""

from __future__ import annotations

from attrs import define, field


@define
class LogLimiter:
    """Lets what happens in floods be logged once in a while, for each kind of it."""

    every: float = 60.0
    """At most once in so many seconds."""
    _last: dict[str, float] = field(factory=dict, init=False)

    def allows(self, kind: str, now: float) -> bool:
        """Whether to log it now.

        :param kind: one of few; not anything that came from outside.
        """
        last = self._last.get(kind)
        if last is not None and 0 <= now - last < self.every:
            return False
        self._last[kind] = now
        return True
