"""Compiles the programs in C when they are needed, into a cache folder that survives until the source changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.machine import ROOT

CACHE = ROOT / "build" / "bench"
_OPTIONS = ["-O2", "-std=gnu11", "-Wall", "-Wextra"]


def compiler() -> str | None:
    """A C compiler, where there is one; ``CC`` names another, and an empty ``CC`` none."""
    name = os.environ.get("CC", "cc")
    return shutil.which(name) if name else None


def compiled(name: str, cache: Path = CACHE) -> Path | None:
    """The program made of ``benchmarks/NAME.c``; None where there is no compiler.

    :raise RuntimeError: the compiler refuses it.
    """
    cc = compiler()
    if cc is None:
        return None
    source = Path(__file__).with_name(f"{name}.c")
    text = b"".join(file.read_bytes() for file in (source, *sorted(source.parent.glob("*.h"))))
    sign = hashlib.sha256(text + " ".join([cc, *_OPTIONS]).encode()).hexdigest()[:12]
    program = cache / f"{name}-{sign}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run([cc, *_OPTIONS, "-o", unfinished, source], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{cc} can't compile {source}:\n{done.stderr}")
        unfinished.rename(program)
    return program
