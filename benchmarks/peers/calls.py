"""What the servers have stored."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.work import json_answer, serial_of


def stored() -> tuple[int, dict[str, dict[str, Any]]]:
    """The port to listen on, and the calls by serial, as the command line says: ``PORT CALLS``."""
    port, count = (int(word) for word in sys.argv[1:3])
    return port, {serial: json_answer(serial) for serial in map(serial_of, range(count))}
