"""The one way by which the commands say something: a line at a time, with nothing in it that does things to a terminal.

A command whose reader is gone (``ctiex decode ... | head -1``) ends in order, with the exit status that other commands
have then. What serves others ends in order too: customers who are being served are finished, or told.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import suppress
from typing import Any, Protocol

from ctiex.errors import CtiexError
from ctiex.visible import visible

READER_GONE = 141
"""The exit status of a command whose output is no longer read: 128 and the number of SIGPIPE."""


MOST_PATIENCE = 10.0
"""How long the reader of a pipe or terminal may take none of a line, in seconds; behind that it counts as gone.

Nothing else goes on meanwhile, so it is less than a heartbeat.
"""


class Stream(Protocol):
    """What is written to: a text file."""

    def write(self, text: str, /) -> object:
        """Take text."""

    def flush(self) -> object:
        """Let it out."""


class OutputLost(CtiexError):
    """What a command says can't be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output can't be written: {error.strerror or error}")
        self.reader_gone = isinstance(error, BrokenPipeError)


def say(text: object, stream: Stream) -> None:
    """Write one line at once; its parts may come from a peer.

    :raise OutputLost: it can't be written.
    """
    write(visible(str(text), getattr(stream, "encoding", None)) + "\n", stream)


def say_lines(text: object, stream: Stream) -> None:
    """Write a text of several lines: its line feeds are ours.

    :raise OutputLost: it can't be written.
    """
    for line in str(text).split("\n"):
        say(line, stream)


def write(text: str, stream: Stream) -> None:
    """Write text that is known to be harmless; a reader who is only slow is waited for.

    :raise OutputLost: it can't be written, or its reader has stalled.
    """
    try:
        binary = getattr(stream, "buffer", None)
        if binary is None:  # a text in memory
            stream.write(text)
            stream.flush()
            return
        stream.flush()
        _write_all(text.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace"), binary)
    except OSError as error:
        raise OutputLost(error) from None


def _write_all(data: bytes, binary: Any) -> None:
    """Write bytes to a file that may be a descriptor which doesn't block: standard output is, once it is a transport's.

    :raise OSError: it can't be written.
    """
    left = memoryview(data)
    while left:
        try:
            left = left[binary.write(left) or 0 :]  # None: an unbuffered file takes nothing now
        except BlockingIOError as full:
            left = left[full.characters_written :]
        if left:
            _wait_for_room(binary.fileno())
    while True:
        try:
            binary.flush()
        except BlockingIOError:
            _wait_for_room(binary.fileno())
        else:
            return


def _wait_for_room(descriptor: int) -> None:
    """Wait until more can be written.

    :raise TimeoutError: its reader has stalled.
    """
    polled = select.poll()
    polled.register(descriptor, select.POLLOUT)
    if not polled.poll(MOST_PATIENCE * 1_000):
        raise TimeoutError(errno.ETIMEDOUT, f"nobody has read it for {MOST_PATIENCE:g} s")


def open_standard_streams() -> None:
    """See that standard input, output and error are open: one that was closed is the null device from now on.

    Otherwise the next file or connection would get its number, and what is printed.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w", closefd=False))


def end_unread(lost: OutputLost) -> int:
    """The exit status of a command whose output can't be written."""
    # What is still to be written goes to the null device: Python would complain of it at its end.
    opened = os.open(os.devnull, os.O_WRONLY)
    os.dup2(opened, sys.stdout.fileno())
    os.close(opened)
    if lost.reader_gone:
        return READER_GONE
    with suppress(OutputLost):
        say(f"ctiex: {lost}", sys.stderr)
    return 1
