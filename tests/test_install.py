"""What an install gives: the plugin of twistd and twist, and the command, from a wheel and from a checkout."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from .processes import ROOT, finished

SOURCES = ("src", "twisted", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def run(folder: Path, *command: str) -> str:
    """Run a command to its end, without a word of this checkout in its environment; what it has said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return str(finished(command, check=True, cwd=folder, env=environment, text=True).stdout)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what an install needs."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.cache")
            )
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that has everything but CTIEX."""
    place = tmp_path / "environment"
    finished([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    packages = next((place / "lib").glob("python*")) / "site-packages"
    mine = Path(sysconfig.get_path("purelib"))
    shown = packages / "shared"
    shown.mkdir()
    for entry in mine.iterdir():
        # Links to all that is installed here, but for an editable CTIEX and what would bring it in.
        if "ctiex" not in entry.name.lower() and entry.suffix != ".pth":
            (shown / entry.name).symlink_to(entry)
    (packages / "shared.pth").write_text(str(shown) + "\n")
    return place


def install(environment: Path, *what: str) -> None:
    """Install into the environment, with no network."""
    run(environment, sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--quiet",
        "--no-deps", "--no-build-isolation", "--disable-pip-version-check", *what)  # fmt: skip


RUNNERS = {
    "twistd": "from twisted.scripts.twistd import run; run()",
    "twist": "from twisted.application.twist._twist import Twist; Twist.main()",
}
"""What the commands of these names do, for an environment that has them from elsewhere."""


READS_AN_ENDPOINT = """
from twisted.internet.endpoints import serverFromString
print(type(serverFromString(None, "ctiex-tls:0:certificate=exchange.pem")).__name__)
"""


def offers_ctiex(environment: Path, outside: Path) -> None:
    """The plugin and the command are there, outside the checkout."""
    for name, program in RUNNERS.items():
        said = run(outside, str(environment / "bin" / "python"), "-c", program, "--help")
        assert " ctiex " in said, f"{name}: {said}"
    assert run(outside, str(environment / "bin" / "python"), "-c", READS_AN_ENDPOINT) == "TlsServerEndpoint\n"
    assert "demo: 3 of 3 hand-offs completed" in run(outside, str(environment / "bin" / "ctiex"), "demo")


@pytest.mark.parametrize("editable", [False, True], ids=["wheel", "editable"])
def test_an_install_offers_the_plugin_and_the_command(
    editable: bool, checkout: Path, environment: Path, tmp_path: Path
) -> None:
    install(environment, *(["--editable"] if editable else []), str(checkout))
    outside = tmp_path / "outside"
    outside.mkdir()
    offers_ctiex(environment, outside)
