"""The machine: its cores, what it gives to a process, and what it is."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = (
    "ctiex", "Twisted", "attrs", "construct", "cryptography", "prometheus-client",
    "klein", "aiohttp", "uvicorn", "starlette", "httptools", "uvloop", "txredisapi", "hiredis",
)  # fmt: skip


# ---------------------------------------------------------------- cores


@cache
def cores() -> list[int]:
    """The cores that this process might use when it began."""
    return sorted(os.sched_getaffinity(0))


def server_core() -> int:
    """The core of everything that is measured."""
    return cores()[0]


def load_cores() -> list[int]:
    """The cores of everything that isn't: all others, or the same one where there is no other."""
    return cores()[1:] or cores()


def stay_off_the_server() -> None:
    """Keep this process, which makes some of the load itself, off the core of what is measured."""
    os.sched_setaffinity(0, load_cores())


def may_open(files: int) -> bool:
    """Raise the limit on open files, for this process and those it starts; whether it could be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return True
    allowed = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed >= files


# ---------------------------------------------------------------- a process


def processor_seconds(pid: int) -> float:
    """What all threads of a process have had of the processors, as the scheduler counts it, in seconds."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            continue
    return total / 1e9


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


# ---------------------------------------------------------------- what it is


def about() -> dict[str, Any]:
    """What figures depend on: the machine, the versions, the state of the source, the time."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output(["git", "describe", "--always", "--dirty"]),
        "machine": {
            "processor": _processor(),
            "cores": len(cores()),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "kernel": platform.release(),
            "load": os.getloadavg()[0],
        },
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))}
        | {name: _output(command) for name, command in _PROGRAMS.items()},
    }


_PROGRAMS = {"redis-server": ["redis-server", "--version"], "cc": ["cc", "--version"]}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _output(command: list[str]) -> str:
    """The first line that a program prints; empty where it can't be had."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.partition("\n")[0].strip()


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
