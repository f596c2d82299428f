"""How the fault of somebody's code stands in a log: without its text, which may hold a customer's data."""

from __future__ import annotations

from traceback import walk_tb


def without_text(error: BaseException) -> str:
    """The exception's type and where it came from: ``ValueError at survey.py:12, automatic_service.py:230``."""
    places = [f"{frame.f_code.co_filename}:{line}" for frame, line in walk_tb(error.__traceback__)]
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__} at {', '.join(reversed(places)) or 'no known place'}"
