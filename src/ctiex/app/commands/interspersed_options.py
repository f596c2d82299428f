"""Options that may also stand behind the arguments, as people type them."""

from __future__ import annotations

import getopt
from collections.abc import Iterator, Sequence

from twisted.python import usage


class InterspersedOptions(usage.Options):
    """Mixed into the options of a command, it takes ``NAME --option`` like ``--option NAME``."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Put the options in front of the arguments, and parse them.

        :raise UsageError: an option is unknown, or has no value.
        """
        try:
            given, arguments = getopt.gnu_getopt(list(options or ()), self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(str(error)) from None
        super().parseOptions([*self._in_front(given), "--", *arguments])

    def _in_front(self, given: Sequence[tuple[str, str]]) -> Iterator[str]:
        for name, value in given:
            yield name
            if f"{name.lstrip('-')}=" in self.longOpt or (len(name) == 2 and f"{name[1]}:" in self.shortOpt):
                yield value
