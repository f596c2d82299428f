"""How many examples of a property are tried: some in each run, many in the long one."""

from __future__ import annotations

import os

_TIMES = float(os.environ.get("CTIEX_EXAMPLES", "0.4"))


def examples(many: int) -> int:
    """``many`` where ``CTIEX_EXAMPLES=1``; every run of ``make test`` tries others."""
    return max(20, round(many * _TIMES))
