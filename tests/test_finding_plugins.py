"""How plugins of others are found: by an entry point, or as a module that is added to ``ctiex.plugins``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ctiex.plugins
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ICodecPlugin
from ctiex.plugins import broken_plugins, find_plugin

A_CODEC = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from ctiex.interfaces import ICodecPlugin

@implementer(IPlugin, ICodecPlugin)
class Found:
    name = "{name}"

    def build(self):
        return "{name}"

found = Found()
"""
Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module, and an entry point that names something."""

    def make(name: str, code: str, names: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ctiex.plugins]\n{name} = {names}\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    ctiex.plugins._loaded.cache_clear()
    yield make
    ctiex.plugins._loaded.cache_clear()


def test_a_module_that_an_entry_point_names_brings_its_plugins(install: Install) -> None:
    install("ctiex_brings_one", A_CODEC.format(name="brought"), "ctiex_brings_one")
    assert find_plugin(ICodecPlugin, "brought").build() == "brought"
    assert find_plugin(ICodecPlugin, "binary") is not None
    assert broken_plugins() == ()


@pytest.mark.parametrize(
    ("code", "names", "told"),
    [
        ("1 / 0", "ctiex_is_broken", "ctiex_is_broken can't be used: ZeroDivisionError: division by zero"),
        ("", "ctiex_is_missing", "ctiex_is_missing can't be used: ModuleNotFoundError: No module named"),
        ("x = 1", "ctiex_is_broken:x", "names int, expected a module"),
    ],
)
def test_one_that_can_not_be_used_is_told_of_and_keeps_no_other_back(
    install: Install, code: str, names: str, told: str
) -> None:
    install("ctiex_is_broken", code, names)
    (line,) = broken_plugins()
    assert told in line
    assert find_plugin(ICodecPlugin, "binary") is not None


def test_two_of_one_name_are_refused(install: Install) -> None:
    install("ctiex_first_of_two", A_CODEC.format(name="doubled"), "ctiex_first_of_two")
    install("ctiex_second_of_two", A_CODEC.format(name="doubled"), "ctiex_second_of_two")
    with pytest.raises(ConfigurationError, match="which 2 plugins"):
        find_plugin(ICodecPlugin, "doubled")
