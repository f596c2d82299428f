"""The tables of the pages about the wire: ``python -m ctiex.testing.wire_page PAGE ...`` writes them again.

They stand in a page's source, each between ``.. generated: NAME`` and ``.. end: NAME``, so that the page can be
read without making it. What stands outside is left as it is.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ctiex.errors import Repeat
from ctiex.testing.wire.description import description

_WIDTH = 118
_CODE_TABLES = (
    *("roles", "open_call_states", "actions", "party_roles", "connection_states", "call_changes"),
    *("recordings", "agent_states", "monitor_switches", "pages"),
)
"""The tables of numbers with a name and a meaning, and nothing more."""
_Row = Sequence[str]


def filled(page: str) -> str:
    """The page with every generated part as it is now.

    :raise KeyError: a part that nothing generates.
    """
    parts = _Parts(description())

    def part(found: re.Match[str]) -> str:
        lines = [found[1], "", *parts.lines(found[2]), found[3]]
        return "\n".join(lines)

    return re.sub(r"^(\.\. generated: ([a-z ]+))\n.*?^(\.\. end: \2)$", part, page, flags=re.M | re.S)


def literal(words: str) -> str:
    """Words with single backticks as reStructuredText has them."""
    return re.sub(r"`([^`]+)`", r"``\1``", words)


def table(head: _Row, rows: Iterable[_Row]) -> Iterator[str]:
    """A simple table, whose last column is folded; ends with an empty line."""
    rows = [[literal(cell) or "\\ " for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head) - 1)]
    widths.append(max(20, _WIDTH - sum(widths) - 2 * len(widths)))
    border = "  ".join("=" * width for width in widths)
    yield from (border, _line(head, widths), border)
    for row in rows:
        first, *rest = _folded(row[-1], widths[-1])
        yield _line([*row[:-1], first], widths)
        yield from (_line([*[""] * (len(head) - 1), more], widths) for more in rest)
    yield from (border, "")


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _line(cells: _Row, widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


class _Parts:
    """Every generated part, by its name in the page."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._lines: dict[str, Callable[[], Iterator[str]]] = {
            "header": self._header,
            "kinds": self._kinds,
            "bodies": self._bodies,
            "fields": lambda: self._parts(told["fields"]["parts"]),
            "field types": self._field_types,
            "extensions": lambda: self._parts(told["frame"]["extensions"]),
            "open hand off": lambda: self._record("OpenCall"),
            "call party": lambda: self._record("CallParty"),
            "field name": lambda: self._record("FieldName"),
            "statuses": self._statuses,
            "repeats": self._repeats,
            "conditions": self._conditions,
            **{table.replace("_", " "): partial(self._codes, told[table]) for table in _CODE_TABLES},
            "features": self._features,
        }

    def lines(self, name: str) -> Iterator[str]:
        return self._lines[name]()

    def _header(self) -> Iterator[str]:
        return self._parts(self._told["frame"]["header"])

    def _parts(self, parts: Iterable[dict[str, str]]) -> Iterator[str]:
        rows = [(f"`{part['name']}`", part["type"], part["meaning"]) for part in parts]
        return table(("part", "type", "meaning"), rows)

    def _codes(self, codes: Iterable[dict[str, Any]]) -> Iterator[str]:
        rows = [(str(each["code"]), _worded(each["name"]), each["meaning"]) for each in codes]
        return table(("code", "name", "meaning"), rows)

    def _kinds(self) -> Iterator[str]:
        rows = [
            (told["kind_hex"], told["name"], told["from"], _link(told), told["invoke_id"])
            for told in self._told["messages"]
        ]
        return table(("kind", "message", "from", "link", "invoke id"), rows)

    def _bodies(self) -> Iterator[str]:
        for told in self._told["messages"]:
            title = f"{told['kind_hex']} {told['name']}"
            yield from (title, "~" * len(title), "")
            yield from _folded(literal(f"{told['purpose']} {_way(told)}"), _WIDTH)
            yield ""
            yield from _attributes(told["attributes"]) if told["attributes"] else ("The body is empty.", "")

    def _record(self, name: str) -> Iterator[str]:
        return _attributes(self._told["records"][name])

    def _field_types(self) -> Iterator[str]:
        rows = [
            (str(each["type"]), _worded(each["name"]), each["binary"], each["json"], each["meaning"])
            for each in self._told["fields"]["types"]
        ]
        return table(("type", "name", "binary", "in JSON", "meaning"), rows)

    def _statuses(self) -> Iterator[str]:
        rows = [
            (str(each["code"]), _worded(each["name"]), each["repeat"], each["meaning"])
            for each in self._told["statuses"]
        ]
        return table(("code", "name", "repeat", "what it says"), rows)

    def _repeats(self) -> Iterator[str]:
        statuses: dict[str, list[str]] = {}
        for each in self._told["statuses"]:
            statuses.setdefault(each["repeat"], []).append(f"{each['code']} {_worded(each['name'])}")
        rows = [(repeat.value, ", ".join(statuses[repeat.value])) for repeat in Repeat]
        return table(("repeat", "statuses"), rows)

    def _conditions(self) -> Iterator[str]:
        rows = [
            (str(each["code"]), _worded(each["name"]), each["from"], "yes" if each["final"] else "no", each["meaning"])
            for each in self._told["conditions"]
        ]
        return table(("code", "name", "from", "final", "what it says"), rows)

    def _features(self) -> Iterator[str]:
        roles = {each["code"]: _worded(each["name"]) for each in self._told["roles"]}
        rows = [(f"`{each['word']}`", roles[each["role"]], each["meaning"]) for each in self._told["features"]]
        return table(("word", "role", "meaning"), rows)


def _worded(name: str) -> str:
    return name.lower().replace("_", " ")


def _link(told: dict[str, Any]) -> str:
    return "both" if told["role"] is None else {"agent": "agent", "service": "IVR"}[told["links"][0]]


def _way(told: dict[str, Any]) -> str:
    """Who sends a message where, and what answers it."""
    sender = {"client": "From the client", "exchange": "From the exchange", "either": "From either side"}[told["from"]]
    place = "on either link" if told["role"] is None else f"on the {_link(told)} link"
    place += f" with the feature `{told['feature']}`" if "feature" in told else ""
    answered = f"; answered by {told['reply_kind']:02X} {told['reply']}" if "reply" in told else ""
    return f"{sender}, {place}{answered}."


def _attributes(attributes: Iterable[dict[str, Any]]) -> Iterator[str]:
    rows = [(f"`{each['name']}`", each["type"], _limits(each), _default(each), _meaning(each)) for each in attributes]
    return table(("attribute", "type", "limits", "left out", "meaning"), rows)


_WIDEST = {"text8": "255 bytes", "text16": "65,535 bytes"}


def _limits(attribute: dict[str, Any]) -> str:
    kind = attribute["type"]
    if "values" in attribute:
        return _values(attribute["values"])
    if kind == "serial":
        return f"{attribute['least']} to {attribute['greatest']} digits"
    if kind == "text8" and (attribute["least"], attribute["greatest"]) != (0, 255):
        return f"{attribute['least']} to {attribute['greatest']} bytes"
    return _WIDEST.get(kind, "")


def _values(values: Iterable[int]) -> str:
    """Numbers in words, those in a row together: ``1 or 2``, ``0 to 6 or 255``."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    parts = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 3 else map(str, run))]
    *before, last = parts
    return f"{', '.join(before)} or {last}" if before else last


def _default(attribute: dict[str, Any]) -> str:
    if "default" not in attribute:
        return "never"
    return {"": '`""`', "{}": "`{}`", "[]": "`[]`"}.get(str(attribute["default"]), f"`{attribute['default']}`")


def _meaning(attribute: dict[str, Any]) -> str:
    if attribute["type"] == "list":
        return f"{attribute['meaning']}: a count ({attribute['count']}), then as many `{attribute['of']}`"
    return f"{attribute['meaning']} ({attribute['unit']})" if "unit" in attribute else str(attribute["meaning"])


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")
