"""A crowd: very many links of one identity, each of which keeps to every limit of a link, in a process of its own.

``python -m benchmarks.hostile_crowds PORT LINKS FRAMES KIND`` binds the links, says so, and then sends so many frames
on each of them a second, reading whatever answers them, until its standard input closes. Then it prints how many frames
the exchange took.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import hostile_peers as peers
from tests.wire_client import Kind, frame, message

_ROOT = Path(__file__).resolve().parent.parent
_LESS_URGENT = 10
"""How nice a crowd is: it stands for many other machines, and must not take the exchange's core from it."""
_BEATS = 4
"""How often in a second each link sends its share."""
FRAMES = {
    "pings": frame(Kind.PING, b"", 7),
    "requests": message(Kind.CANCEL_REQUEST, 7, serial="1"),
    "malformed": frame(Kind.CANCEL_REQUEST, b"", 7),
}
"""What a crowd sends."""


@contextmanager
def crowd(port: int, links: int, frames: int, kind: str) -> Iterator[list[int]]:
    """A crowd at work meanwhile; the list that it gives holds the number of frames taken, once it is over."""
    command = [sys.executable, "-m", "benchmarks.hostile_crowds", str(port), str(links), str(frames), kind]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    sent: list[int] = []
    try:
        if process.stdout.readline() != b"bound\n":
            raise AssertionError("the crowd could not bind")
        yield sent
        out, _ = process.communicate(b"", 60)
        sent.append(int(out))
    finally:
        process.kill()
        process.wait()


def main(port: str, count: str, frames: str, kind: str) -> None:
    """Be a crowd until standard input closes."""
    links = peers.open_links(peers.Target(int(port), 0), int(count), bind=True)
    os.nice(_LESS_URGENT)
    print("bound", flush=True)
    share = FRAMES[kind] * max(1, int(frames) // _BEATS)
    sent, beat = 0, 0
    begun = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, begun + beat / _BEATS - time.monotonic()))[0]:
        beat += 1
        for link in links:
            link.drain()
            if not link.ended:
                sent += _send(link, share)
    print(sent // len(FRAMES[kind]), flush=True)


def _send(link: peers.HostileLink, share: bytes) -> int:
    """Send the share of this beat, unless that of an earlier one isn't taken yet; how many bytes were taken."""
    waiting = link.rest or share
    taken = link.send(waiting)
    link.rest = waiting[taken:]
    return taken


if __name__ == "__main__":
    main(*sys.argv[1:])
