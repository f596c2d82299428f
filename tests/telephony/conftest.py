"""What a scenario that failed leaves to read: the SIP messages, and the last words of each peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

_LONGEST = 600
"""How long a scenario may take with its beginning and its end, in seconds: behind its own limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real peers take longer than other tests may."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(_LONGEST))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add them to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    world = getattr(getattr(item, "_instance", None) or getattr(item, "instance", None), "world", None)
    if report.failed and world is not None:
        report.sections.extend(world.last_words())
