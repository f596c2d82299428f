"""``twistd`` that tells of its memory: SIGUSR1 makes it collect its garbage and write a report.

Run as ``python -m benchmarks.watched REPORT WORDS-OF-TWISTD``. Nothing of it runs until the signal comes.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path
from types import FrameType

from twisted.scripts.twistd import run


def report(path: Path, number: int, frame: FrameType | None) -> None:
    """Write how long full collections take, and what is held after them."""
    pauses = []
    for _ in range(3):
        begun = time.perf_counter()
        gc.collect()
        pauses.append(time.perf_counter() - begun)
    told = {
        "collect_seconds": pauses,
        "tracked_objects": len(gc.get_objects()),
        "frozen_objects": gc.get_freeze_count(),
        "traced_bytes": tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None,
    }
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(told))
    unfinished.rename(path)


def main() -> None:
    """Run twistd."""
    path = Path(sys.argv[1])
    sys.argv = ["twistd", *sys.argv[2:]]
    signal.signal(signal.SIGUSR1, partial(report, path))
    run()


if __name__ == "__main__":
    main()
