"""How fast something may come."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field


@define
class Pace:
    """How fast something comes from each key. What two seconds may bring may come at once."""

    burst: float = 2.0
    """For how many seconds what isn't used is saved up."""
    _used_until: OrderedDict[str, float] = field(factory=OrderedDict, init=False)
    """By key: the moment up to which its rate is used up, as of when something last came."""

    def take(self, key: str, most: float, now: float) -> bool:
        """Count one more; False where it comes too fast, and isn't counted.

        :param most: so many in a second.
        """
        self._forget(now)
        begun = max(self._used_until.get(key, now - self.burst), now - self.burst)
        if begun > now - 1 / most:
            return False
        self._used_until[key] = begun + 1 / most
        self._used_until.move_to_end(key)
        return True

    def _forget(self, now: float) -> None:
        """Let go of those that have everything again, and after a clock was put back of all that it would keep out."""
        while self._used_until:
            key, used = next(iter(self._used_until.items()))
            if now - self.burst < used <= now:
                return
            del self._used_until[key]
