"""What is packaged: that it is what stands in the tree, and nothing that would break Twisted."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import twisted.plugins
from twisted.application.service import IServiceMaker
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import ctiex
from ctiex.tls.endpoint import TlsEndpointParser

ROOT = Path(__file__).resolve().parent.parent


def setup_cfg() -> ConfigParser:
    """The parsed setup.cfg."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


REQUIREMENT = re.compile(r"([a-z0-9][a-z0-9-]*)==([0-9a-z.]+)((?: --hash=sha256:[0-9a-f]{64})+)")
LISTS = ("run.txt", "dev.txt", "bench.txt", "audit.txt")


def requirements(name: str) -> list[str]:
    """The requirements of a file, each on one line."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    joined = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [line for line in joined if line and not line.startswith("#")]


def pins(name: str) -> dict[str, str]:
    """The exact versions in a requirements file, by package."""
    return dict(line.split(" ")[0].split("==") for line in requirements(name))


def canonical(name: str) -> str:
    """The name of a package as the lists have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(text: str) -> list[str]:
    """The lines of a list in setup.cfg."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


class PackagingTests(SynchronousTestCase):
    """setup.cfg against the tree."""

    def test_the_packages_named_are_those_there_are(self) -> None:
        found = {
            ".".join(path.parent.relative_to(ROOT / "src").parts)
            for path in (ROOT / "src").rglob("__init__.py")
            if not any(part.startswith("__") for part in path.parent.parts)
        }
        named = listed(setup_cfg()["options"]["packages"])
        self.assertEqual(sorted(named), sorted(found | {"twisted.plugins"}))

    def test_every_module_is_in_a_package(self) -> None:
        without = [str(path) for path in (ROOT / "src").rglob("*.py") if not (path.parent / "__init__.py").exists()]
        self.assertEqual(without, [])

    def test_twisted_stays_twisteds_own_package(self) -> None:
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])

    def test_the_types_are_packaged(self) -> None:
        self.assertTrue((ROOT / "src" / "ctiex" / "py.typed").exists())
        self.assertEqual(setup_cfg()["options.package_data"]["ctiex"], "py.typed")

    def test_the_version_is_a_release_number(self) -> None:
        version = setup_cfg()["metadata"]["version"]
        self.assertTrue(re.fullmatch(r"\d+\.\d+\.\d+", version), version)
        self.assertIn(ctiex.__version__, {version, "0+unknown"})

    def test_the_command_is_the_applications(self) -> None:
        self.assertIn("ctiex = ctiex.app.cli:main", setup_cfg()["options.entry_points"]["console_scripts"])

    def test_an_editable_install_is_strict(self) -> None:
        self.assertEqual(setup_cfg()["editable_wheel"]["mode"], "strict")

    def test_the_tools_read_their_settings(self) -> None:
        tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        self.assertEqual(tables["build-system"]["build-backend"], "setuptools.build_meta")
        self.assertEqual(tables["tool"]["ruff"]["line-length"], 120)

    def test_twistd_finds_one_ctiex(self) -> None:
        makers: list[Any] = [maker for maker in getPlugins(IServiceMaker, twisted.plugins) if maker.tapname == "ctiex"]
        described = {maker.description for maker in makers}
        self.assertEqual(len(described), 1, makers)
        for maker in makers:
            self.assertTrue(verifyObject(IPlugin, maker))
            self.assertEqual(maker.module, "ctiex.app.tap")

    def test_twisted_finds_one_endpoint_of_ours(self) -> None:
        found = [parser for parser in getPlugins(IStreamServerEndpointStringParser) if parser.prefix == "ctiex-tls"]
        self.assertEqual({type(parser) for parser in found}, {TlsEndpointParser}, found)
        for parser in found:
            self.assertTrue(verifyObject(IPlugin, parser))
            self.assertTrue(verifyObject(IStreamServerEndpointStringParser, parser))


class RequirementTests(SynchronousTestCase):
    """The pinned versions against setup.cfg."""

    def test_what_runs_is_pinned_the_same_for_development(self) -> None:
        run, dev = pins("run.txt"), pins("dev.txt")
        self.assertEqual({name: dev.get(name) for name in run}, run)

    def test_everything_required_is_pinned(self) -> None:
        required = listed(setup_cfg()["options"]["install_requires"])
        names = {canonical(re.split(r"[<>=\[]", line)[0]) for line in required}
        self.assertEqual(names - set(pins("run.txt")), set())

    def test_every_extra_is_pinned(self) -> None:
        extras = setup_cfg()["options.extras_require"]
        for extra in ("dev", "docs", "durable", "metrics", "testing", "tls"):
            text = extras[extra]
            names = {canonical(re.split(r"[<>=\[]", line)[0]) for line in listed(text)}
            self.assertEqual(names - set(pins("dev.txt")), set(), extra)
            if extra in ("durable", "metrics", "tls"):
                self.assertEqual(names - set(pins("run.txt")), set(), extra)

    def test_every_requirement_is_a_version_with_its_hashes_and_nothing_else(self) -> None:
        for name in LISTS:
            found = requirements(name)
            self.assertGreater(len(found), 10)
            self.assertEqual([line for line in found if not REQUIREMENT.fullmatch(line)], [], name)

    def test_the_build_backend_is_pinned_where_it_builds(self) -> None:
        for name in ("run.txt", "dev.txt"):
            self.assertIn("setuptools", pins(name))

    def test_make_installs_nothing_without_a_hash_but_this_checkout(self) -> None:
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        installs = [line.strip() for line in text.splitlines() if "$(INSTALL)" in line or "pip install" in line]
        self.assertEqual(
            installs,
            [
                "INSTALL = -m pip install --quiet --disable-pip-version-check",
                "HASHED = $(INSTALL) --require-hashes --requirement",
                "$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .",
            ],
        )

    def test_construct_stays_below_its_next_minor_version(self) -> None:
        self.assertIn("construct>=2.10.70,<2.11", listed(setup_cfg()["options"]["install_requires"]))
