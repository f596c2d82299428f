"""Writes the page of the results: tables in reStructuredText, plots in SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import histogram, plots
from benchmarks.goals import goals, said
from benchmarks.results import Results

NAME = "performance-results"
_HEAD = """\
.. Written by ``python -m benchmarks --page``; what is changed here by hand is lost.

Measured
========

:doc:`performance` tells how these figures come about, and what they can't say. A range behind a figure is the
least and the most of the rounds.
"""
_LONG_TAIL = (0.5, 0.9, 0.99, 0.999, 0.9999)


def write(results: Results, docs: Path) -> Path:
    """Write the page and its plots.

    :raise ValueError: there is nothing to show.
    """
    if not results.parts:
        raise ValueError("there are no results yet: run make bench first")
    pictures = docs / "pictures"
    pictures.mkdir(exist_ok=True)

    def picture(name: str, drawn: str, alt: str) -> str:
        (pictures / f"performance-{name}.svg").write_text(drawn)
        return f"\n.. figure:: pictures/performance-{name}.svg\n   :alt: {alt}\n"

    parts = [_HEAD, _about(results), _goals(results)]
    for name, section in _SECTIONS.items():
        figures = results.find(name)
        if figures is not None:
            parts += section(figures, picture)
    page = docs / f"{NAME}.rst"
    page.write_text("\n".join(part.strip("\n") + "\n" for part in parts))
    return page


Snapshot = Callable[[str, str, str], str]


# ---------------------------------------------------------------- pieces of reStructuredText


def title(text: str, line: str = "-") -> str:
    """A heading."""
    return f"\n{text}\n{line * len(text)}\n"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A list-table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}".rstrip() for place, cell in enumerate(row)]
    return "\n" + "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """A title without its markup."""
    return text.replace("*", "").replace("``", "")


def ranged(found: dict[str, float] | None) -> str:
    """A ratio with its range."""
    return "" if found is None else f"{found['median']:.2f} ({found['least']:.2f} to {found['most']:.2f})"


# ---------------------------------------------------------------- what it was, and what it should be


def _about(results: Results) -> str:
    rows = []
    for name, part in results.parts.items():
        about = part["about"]
        machine = about["machine"]
        where = (
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}"
        )
        effort = f"{about['rounds']} rounds of {about['seconds']:g} s, load made in {about['generator']}"
        quick = " (**quick**: these figures mean little)" if about["quick"] else ""
        rows.append((name, about["date"], about["commit"], where, f"{machine['load']:.1f}", effort + quick))
    first = next(iter(results.parts.values()))["about"]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items() if version)
    head = ("part", "when", "commit", "machine", "load before", "effort")
    return title("Where and when") + table(head, rows) + f"\nPython {first['python']}, {versions}.\n"


def _goals(results: Results) -> str:
    rows = []
    for one in goals(results):
        sign = "<=" if one.at_most else ">="
        measured = "" if one.measured is None else f"**{one.measured:,.2f}**".replace(".00**", "**")
        aim = "" if one.goal is None else f"{sign} {one.goal:g}"
        rows.append((one.text, measured, f"{sign} {one.must:,g}", aim, one.verdict))
    return title("What was promised") + table(("", "measured", "must", "goal", ""), rows)


# ---------------------------------------------------------------- the parts


def _missing(figures: dict[str, Any]) -> str:
    return "".join(f"\nNot measured: {name}, {why}.\n" for name, why in figures["missing"].items())


def _answers(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """Ratios and costs by server and shape."""
    shapes, titles = figures["shapes"], figures["titles"]
    servers = list(next(iter(shapes.values())))
    names = [said(shape) for shape in shapes]
    yield title("An answer")
    yield (
        "Look up a serial among 1,000 stored calls, answer its twelve fields. A shape is (connections, requests in "
        "flight on each).\n"
    )
    rows = [(plain(titles[one]), [_point(of[one].get("to_echo")) for of in shapes.values()]) for one in servers]
    if any(point is not None for _, row in rows for point in row):
        unit = "processor's time of the bare Twisted echo / of the server: to the right is cheaper"
        drawn = plots.points("Cost of an answer, against a bare Twisted echo", rows, names, unit)
        yield picture(
            "answers", drawn, "Ratios to the bare Twisted echo, by server and shape; the table has the figures."
        )
    yield "\nRatios: the processor's time of the bare Twisted echo / of the server, in one round. Above 1 is cheaper.\n"
    yield table(
        ("server", *names),
        [(titles[one], *(ranged(of[one].get("to_echo")) for of in shapes.values())) for one in servers],
    )
    yield "\nThe processor's time for each request, in microseconds, and answers a second.\n"
    cells = [
        (titles[one], *(f"{of[one]['us']:.2f} us, {of[one]['per_second']:,}/s" for of in shapes.values()))
        for one in servers
    ]
    yield table(("server", *names), cells)
    yield _missing(figures)


def _point(found: dict[str, float] | None) -> plots.Point | None:
    return None if found is None else plots.Point(found["median"], found["least"], found["most"])


def _client_side(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """The clients' own cost."""
    rivals = sorted({rival for entry in figures["clients"].values() for rival in entry["to"]})
    yield title("The client's side")
    yield f"The processor's time of the client for each request, {figures['in_flight']} in flight on one link.\n"
    rows = [
        (figures["titles"][name], f"{entry['us']:.1f}", *(ranged(entry["to"][rival]) for rival in rivals))
        for name, entry in figures["clients"].items()
    ]
    yield table(("client", "us", *(f"{rival} / this" for rival in rivals)), rows) + _missing(figures)


def _calls(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """ConnectRequest, ServiceEvent and whole hand-offs."""
    names = {
        "connect": "ConnectRequest, through to the service that accepts and the agent who is told",
        "hand_off": "a whole hand-off: asked for, offered, fetched, reported, told",
    }
    yield title("The other messages")
    rows = [
        (text, store, f"{entry['us']:.0f}", f"{entry['per_core_second']:,}", f"{entry['per_second']:,}")
        for name, text in names.items()
        for store, entry in figures[name]["stores"].items()
    ]
    messages = {
        "event": "a ServiceEvent through to its agent, who acknowledges",
        "data": "a DataRequest over as many links",
    }
    for name, text in messages.items():
        entry = figures["event"]["messages"][name]
        rows.append((text, "memory", f"{entry['us']:.1f}", f"{entry['per_core_second']:,}", f"{entry['per_second']:,}"))
    yield table(("", "store", "us of processor", "a second on one core", "a second, measured"), rows)
    yield (
        f"\nSQLite / memory: {ranged(figures['connect']['sqlite_to_memory'])} for a ConnectRequest,"
        f" {ranged(figures['hand_off']['sqlite_to_memory'])} for a hand-off."
        f" ServiceEvent / DataRequest: {ranged(figures['event']['event_to_data'])}.\n"
    )


def _latency(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """Quantiles at a steady pace."""
    titles, servers = figures["titles"], figures["servers"]
    yield title("Latency")
    yield f"{figures['rate']:,} requests a second over {figures['connections']} connections, from when each was due.\n"
    labels = {1 / (1 - share): f"{share * 100:g} %" for share in _LONG_TAIL}
    series = [(plain(titles[name]), list(_tail(entry["histogram"]))) for name, entry in servers.items()]
    drawn = plots.lines("Latency at a steady pace", series, "share of the requests", "microseconds", labels)
    yield picture("latency", drawn, "Latency by share of the requests, for each server; the table has the figures.")
    keys = ("p50", "p99", "p99.9", "most")
    yield table(
        ("server, microseconds", *keys, "requests"),
        [(titles[name], *(f"{e[key]:,}" for key in keys), f"{e['requests']:,}") for name, e in servers.items()],
    )
    yield _missing(figures)


def _tail(counts: list[tuple[int, int]]) -> Iterator[tuple[float, float]]:
    requests = sum(count for _, count in counts)
    for share in (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999):
        if requests * (1 - share) >= 1:
            yield 1 / (1 - share), histogram.quantile([(at, count) for at, count in counts], share) * 1e6


def _memory(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """Bytes for each."""
    names = {"link": "an idle bound link", "context": "a stored call with 12 fields", "message": "a parsed message"}
    yield title("Memory")
    rows = [(text, how, f"{size:,}") for what, text in names.items() for how, size in figures[what].items()]
    yield table(("bytes for each", "of what, and how counted", ""), rows)
    yield "\n*Traced* is what ``tracemalloc`` sees, *resident* what the process grew by, with all that lies between.\n"


def _growth(figures: dict[str, Any], picture: Snapshot) -> Iterator[str]:
    """The cost by stored calls and by links; the collector."""
    yield title("Growth")
    series = [
        (f"with so many {what}", [(float(count), entry["us"]) for count, entry in figures[what].items()])
        for what in ("calls", "links")
        if len(figures[what]) > 1
    ]
    drawn = plots.lines("Cost of one DataRequest", series, "calls stored, or links bound", "microseconds", from_least=1)
    yield picture(
        "growth", drawn, "The cost of a DataRequest by stored calls and by links; the tables have the figures."
    )
    rows = [
        (
            f"{int(count):,}",
            f"{entry['us']:.1f}",
            ranged(entry["to_least"]),
            f"{entry['resident_bytes'] / 1e6:,.0f} MB",
            f"{entry['tracked_objects']:,}",
            f"{min(entry['collect_seconds']) * 1e3:,.0f} to {max(entry['collect_seconds']) * 1e3:,.0f} ms",
        )
        for count, entry in figures["calls"].items()
    ]
    head = (
        "calls stored",
        "us of a DataRequest",
        "/ the fewest",
        "memory",
        "objects the collector walks",
        "a full collection",
    )
    yield table(head, rows)
    rows_of_links = [
        (f"{int(count):,}", f"{entry['us']:.1f}", ranged(entry["to_least"]))
        for count, entry in figures["links"].items()
    ]
    yield "\nTen links ask, the others are bound and idle.\n"
    yield table(("links bound", "us of a DataRequest", "/ the fewest"), rows_of_links)


_SECTIONS: dict[str, Callable[[dict[str, Any], Snapshot], Iterator[str]]] = {
    "answers": _answers,
    "client-side": _client_side,
    "calls": _calls,
    "latency": _latency,
    "memory": _memory,
    "growth": _growth,
}
