"""Harness: any text as a configuration. It gives one, or a ConfigurationError with a line for each thing that is wrong.

Input that begins with a brace is JSON for the tables themselves, anything else is TOML.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any


def TestOneInput(data: bytes) -> None:  # noqa: N802 (atheris calls it so)
    """One configuration.

    :raise AssertionError: an error without a text.
    """
    from ctiex.config.reading import parse
    from ctiex.errors import ConfigurationError

    tables = _tables(data)
    if tables is None:
        return
    try:
        parse(tables, "exchange.toml")
    except ConfigurationError as error:
        assert str(error), "an error has to say what was wrong"


def _tables(data: bytes) -> dict[str, Any] | None:
    """The tables; None where it is no TOML, which isn't for us to judge."""
    try:
        text = data.decode()
        tables = json.loads(text) if text.startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    return tables if isinstance(tables, dict) else None
