"""Who else on this machine may read or change a file that is ours alone: one rule for all of them.

CTIEX creates files for their owner only. An existing file keeps its mode, which is therefore reported.
"""

from __future__ import annotations

import os
import stat

from twisted.logger import Logger

_log = Logger()


def wide_mode(path: str | bytes | os.PathLike[str]) -> str | None:
    """In words, who may do too much with a file: others anything, its group change it; None where all is well.

    A group may read (0640 lets it read logs and backups), and may connect to a socket. A file that isn't there, or
    can't be looked at, is for others to tell.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if stat.S_ISCHR(mode):  # such as /dev/null, which is everybody's
        return None
    if mode & stat.S_IRWXO:
        return "every user of this machine"
    if mode & stat.S_IWGRP and not stat.S_ISSOCK(mode):
        return "its group"
    return None


def warn_of_wide_mode(path: str | bytes | os.PathLike[str]) -> None:
    """A line in the log for a file that others may get at: its name and its mode."""
    who = wide_mode(path)
    if who is not None:
        mode = os.stat(path).st_mode
        what = "connect to it" if stat.S_ISSOCK(mode) else "read or change it"
        _log.warn("{path} has mode {mode}: {who} may {what}",
                  path=os.fsdecode(path), mode=f"{stat.S_IMODE(mode):04o}", who=who, what=what)  # fmt: skip
