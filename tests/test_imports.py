"""The direction of imports: walks every module of ``src/ctiex`` and holds it against one table."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from .source_trees import SOURCE, trees

VALUES = frozenset(
    {
        "call_messages",
        "conditions",
        "errors",
        "extras",
        "field_values",
        "fields",
        "limits",
        "messages",
        "records",
        "serials",
        "settings",
    }
)
TOOLS = frozenset({"file_modes", "frozen", "lots", "outage", "places", "rates", "steady_time", "visible"})
"""What any part may use, and knows of none."""
ORDER = (
    {"interfaces"},
    {"identities"},
    {"monitoring"},
    {"codecs", "stores", "carriers", "tls"},
    {"processing"},
    {"call_control"},
    {"login"},
    {"links"},
    {"services", "telephony"},
    {"signalling"},
    {"clients"},
    {"plugins"},
    {"core"},
    {"testing", "config"},
    {"app"},
)
"""The parts of ctiex, the lowest first: each may import the values, the tools, and what stands before it."""

MAY_IMPORT = {
    **dict.fromkeys(VALUES, VALUES | TOOLS),
    **dict.fromkeys(TOOLS, TOOLS),
    **{part: VALUES | TOOLS | frozenset().union(*ORDER[:place]) for place, parts in enumerate(ORDER) for part in parts},
}
"""Each part of ctiex, with the other parts that it may import."""

HAVE_TRANSPORTS = frozenset({"config", "tls", "links", "clients", "signalling", "telephony", "app", "testing"})
WITHOUT_TRANSPORTS = frozenset({"defer", "error", "interfaces", "task", "threads"})
"""The modules of twisted.internet that touch no transport."""
TRANSPORTS = ("asyncio", "socket", "ssl", "twisted.application.internet", "twisted.protocols", "twisted.web")
HAVE_THE_REACTOR = frozenset({"ctiex.app.tap", "ctiex.app.running"})

ASTERISK = "ctiex.telephony.asterisk"
STANDS_ON_ASTERISK = "ctiex.signalling.asterisk"
"""The only module of signalling that knows which make of platform it has."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ctiex: its dotted name and its syntax tree."""
    for path, tree in trees():
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, tree


def imported(tree: ast.Module) -> Iterator[str]:
    """The dotted names of everything that a module imports, at any depth of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str:
    """The part of ctiex that a dotted name below it belongs to: ``links`` of ``ctiex.links.agent``."""
    return [*name.split("."), ""][1]


def wrong_direction(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports of a part of ctiex that may not be imported there, and relative ones."""
    own = part_of(name)
    if not own:
        return  # the front door, which is one way out of everything
    for target in imported(tree):
        if target.startswith("."):
            yield f"{name} imports {target}: imports are absolute"
        elif target.split(".")[0] == "ctiex":
            part = part_of(target)
            if part not in MAY_IMPORT.get(own, frozenset()) | {own, "", "__version__"}:
                yield f"{name} imports {target}"


def touches_transports(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports of transports or endpoints where there are to be none."""
    if part_of(name) in HAVE_TRANSPORTS:
        return
    for target in imported(tree):
        package, _, rest = target.partition("twisted.internet.")
        internet = not package and rest.split(".")[0] not in WITHOUT_TRANSPORTS
        if internet or any(f"{target}.".startswith(f"{transport}.") for transport in TRANSPORTS):
            yield f"{name} imports {target}"


def takes_the_reactor(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports of the global reactor where it is to be passed in."""
    if name not in HAVE_THE_REACTOR:
        for target in imported(tree):
            if f"{target}.".startswith("twisted.internet.reactor."):
                yield f"{name} imports {target}"


def knows_a_make_of_platform(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports of Asterisk where any telephone platform is to do."""
    of_any = part_of(name) == "signalling" or name == "ctiex.telephony.call_model"
    if of_any and name != STANDS_ON_ASTERISK:
        for target in imported(tree):
            if f"{target}.".startswith((f"{ASTERISK}.", f"{STANDS_ON_ASTERISK}.")):
                yield f"{name} imports {target}"


class ImportTests(SynchronousTestCase):
    """Every module of ctiex."""

    def test_imports_go_one_way(self) -> None:
        self.assertEqual([line for name, tree in modules() for line in wrong_direction(name, tree)], [])

    def test_transports_are_touched_where_they_belong(self) -> None:
        self.assertEqual([line for name, tree in modules() for line in touches_transports(name, tree)], [])

    def test_the_global_reactor_is_imported_at_the_entry_points_alone(self) -> None:
        self.assertEqual([line for name, tree in modules() for line in takes_the_reactor(name, tree)], [])

    def test_signalling_knows_a_make_of_platform_in_one_module(self) -> None:
        self.assertEqual([line for name, tree in modules() for line in knows_a_make_of_platform(name, tree)], [])

    def test_a_class_has_a_name_of_its_own(self) -> None:
        classes = Counter(
            node.name
            for _, tree in modules()
            for node in tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Options"
        )
        self.assertEqual([name for name, count in classes.items() if count > 1], [])

    def test_every_part_has_its_place_in_the_table(self) -> None:
        self.assertEqual({part_of(name) for name, _ in modules()} - {""} - set(MAY_IMPORT), set())


class RuleTests(SynchronousTestCase):
    """The rules themselves: that they see what breaks them."""

    def test_an_import_against_the_direction_is_seen(self) -> None:
        for name, line in (
            ("ctiex.codecs.binary", "from ctiex.links import session"),
            ("ctiex.codecs.binary", "import ctiex.config.reading"),
            ("ctiex.errors", "from ctiex import interfaces"),
            ("ctiex.stores.memory", "def late():\n    from ctiex.codecs.binary import BinaryCodec"),
            ("ctiex.testing.fakes", "from ctiex.config.reading import load"),
            ("ctiex.links.agent", "from . import session"),
        ):
            self.assertEqual(len(list(wrong_direction(name, ast.parse(line)))), 1, line)

    def test_an_import_with_the_direction_is_let_be(self) -> None:
        for name, line in (
            ("ctiex.links.agent", "from ctiex.codecs.binary import BinaryCodec"),
            ("ctiex.links.agent", "from ctiex import __version__"),
            ("ctiex.app.tap", "from ctiex.links.agent import AgentLinkFactory"),
            ("ctiex.codecs.binary", "from ctiex.codecs import framing"),
        ):
            self.assertEqual(list(wrong_direction(name, ast.parse(line))), [], line)

    def test_a_transport_is_seen(self) -> None:
        for line in (
            "from twisted.internet.protocol import Protocol",
            "from twisted.internet import endpoints",
            "import socket",
            "from twisted.web.server import Site",
        ):
            self.assertEqual(len(list(touches_transports("ctiex.processing.service", ast.parse(line)))), 1, line)
            self.assertEqual(list(touches_transports("ctiex.links.agent", ast.parse(line))), [])
        harmless = ast.parse("from twisted.internet.defer import Deferred\nfrom twisted.internet import task")
        self.assertEqual(list(touches_transports("ctiex.processing.service", harmless)), [])

    def test_a_make_of_platform_is_seen(self) -> None:
        for line in ("from ctiex.telephony.asterisk.ami import AmiMessage", "from ctiex.telephony import asterisk"):
            for name in ("ctiex.signalling.transfer_driver", "ctiex.telephony.call_model"):
                self.assertEqual(len(list(knows_a_make_of_platform(name, ast.parse(line)))), 1, line)
            self.assertEqual(list(knows_a_make_of_platform(STANDS_ON_ASTERISK, ast.parse(line))), [])

    def test_the_reactor_is_seen(self) -> None:
        for line in ("from twisted.internet import reactor", "import twisted.internet.reactor"):
            self.assertEqual(len(list(takes_the_reactor("ctiex.links.agent", ast.parse(line)))), 1, line)
            self.assertEqual(list(takes_the_reactor("ctiex.app.tap", ast.parse(line))), [])
