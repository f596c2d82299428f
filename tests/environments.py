"""Virtual environments that hold what a package requires, and nothing else."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Iterable
from email.parser import BytesParser
from importlib.metadata import Distribution, distribution
from pathlib import Path
from subprocess import CompletedProcess

from attrs import frozen
from packaging.requirements import Requirement

from .processes import ROOT, finished

SOURCES = ("src", "twisted", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
_SCRIPT = """#!{python}
import sys
from {module} import {name}
sys.exit({call}())
"""


def copy_checkout(place: Path) -> Path:
    """A copy of what an install needs."""
    place.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.cache")
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place / name)
    return place


def build_wheel(checkout: Path, place: Path) -> Path:
    """The wheel of a checkout, built by the tools of this environment."""
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    finished([*pip, "--wheel-dir", str(place), str(checkout)], check=True)
    (wheel,) = place.glob("*.whl")
    return wheel


def required(wheel: Path, *extras: str) -> set[str]:
    """The distributions that a wheel requires, those that they require included, by their names here."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        requires = BytesParser().parsebytes(archive.read(metadata)).get_all("Requires-Dist", [])
    found: set[tuple[str, str]] = set()
    for extra in ("", *extras):
        _collect(_applying(requires, extra), found)
    return {name for name, _ in found}


def _applying(requires: Iterable[str], extra: str) -> list[Requirement]:
    """Those that hold with this extra on this machine."""
    parsed = (Requirement(text) for text in requires)
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": extra})]


def _collect(wanted: Iterable[Requirement], found: set[tuple[str, str]]) -> None:
    """Add distributions, each with each of the extras that are wanted of it, and all that these require."""
    for requirement in wanted:
        there = distribution(requirement.name)
        for extra in ("", *requirement.extras):
            if (there.name, extra) not in found:
                found.add((there.name, extra))
                _collect(_applying(there.requires or (), extra), found)


@frozen
class Environment:
    """A virtual environment."""

    place: Path

    @classmethod
    def make(cls, place: Path) -> Environment:
        """One with nothing but Python."""
        finished([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
        return cls(place)

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.place / "bin"

    @property
    def packages(self) -> Path:
        """Where its packages are."""
        return next((self.place / "lib").glob("python*")) / "site-packages"

    def take(self, *names: str) -> None:
        """Copy distributions of the environment that runs the tests, as an install would put them there."""
        for name in names:
            self._take(distribution(name))

    def _take(self, taken: Distribution) -> None:
        for file in taken.files or ():
            if ".." not in file.parts and Path(str(file.locate())).is_file():
                target = self.packages / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)  # with its time, by which Python knows what it has compiled
        for entry in taken.entry_points.select(group="console_scripts"):
            script = self.bin / entry.name
            first = entry.attr.partition(".")[0]
            script.write_text(
                _SCRIPT.format(python=self.bin / "python", module=entry.module, name=first, call=entry.attr)
            )
            script.chmod(0o755)

    def install(self, *what: str) -> None:
        """Install with pip, from no index."""
        self._pip("--no-deps", "--no-index", *what)

    def install_from_the_index(self, what: str) -> None:
        """Install with pip what the index of this machine has of it, and of all that it requires."""
        self._pip(what)

    def _pip(self, *arguments: str) -> None:
        python = str(self.bin / "python")
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
        finished([*pip, *arguments], check=True, text=True)

    def run(self, folder: Path, program: str, *arguments: str) -> CompletedProcess[str]:
        """Run one of its programs to its end, without a word of this checkout in its environment."""
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return finished([self.bin / program, *arguments], cwd=folder, env=variables, text=True)

    def says(self, folder: Path, program: str, *arguments: str) -> str:
        """What a program prints that ends well."""
        done = self.run(folder, program, *arguments)
        assert done.returncode == 0, (program, arguments, done.stdout + done.stderr)
        return done.stdout
