"""Whether a file can stand where it is named, in words, and without touching it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def why_not_written(path: str | os.PathLike[str]) -> str | None:
    """Why a file can't be opened to write to it, or be made; None where nothing is seen that speaks against it."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return why_not_made(path)
    except (OSError, ValueError) as error:
        return f"can't be used: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISDIR(mode):
        return "is a folder, expected a file"
    return None if _allowed(path, os.W_OK) else "can't be written by this user"


def why_not_made(path: str | os.PathLike[str]) -> str | None:
    """Why a file can't be made; None where nothing is seen that speaks against it."""
    folder = Path(os.path.realpath(path)).parent
    if not folder.exists():
        return f"can't be created: there is no folder {folder}"
    if not folder.is_dir():
        return f"can't be created: {folder} isn't a folder"
    return None if _allowed(folder, os.W_OK | os.X_OK) else f"can't be created: this user can't write to {folder}"


def _allowed(path: str | os.PathLike[str], mode: int) -> bool:
    """Whether the process may, as whom it acts for."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
