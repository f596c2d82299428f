"""The real peers, built once into ``build/telephony``: ``python -m tests.telephony.peers`` (``make telephony-peers``).

Each is a small Debian of its own in a folder, and runs by its own loader: nothing is installed on this machine but
mmdebstrap, and no service of it is touched. Exit code 69 (EX_UNAVAILABLE) and a sentence say that the peers can't be
had here.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

CACHE = Path(__file__).resolve().parents[2] / "build" / "telephony"
UNAVAILABLE = 69
"""The exit code that says: not here. Any other failure is one."""
MIRROR = "http://deb.debian.org/debian"
ARCHIVE = "http://archive.debian.org/debian"
"""Where releases go that the mirrors have dropped."""
_TOOL = "mmdebstrap"
_OPTIONS = (
    "--variant=minbase",
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=Acquire::Retries "3"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)


class Unavailable(Exception):
    """The peers can't be had on this machine; says why."""


@frozen
class Root:
    """A Debian in a folder, and how to run what is in it without entering it."""

    name: str
    release: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return CACHE / self.name

    @property
    def recipe(self) -> str:
        """What it was made of: another recipe makes another root."""
        return "\n".join((self.release, *self.packages, *_OPTIONS)) + "\n"

    @property
    def ready(self) -> bool:
        """Whether it was built, whole, by this recipe."""
        made = self.folder / "recipe"
        return made.is_file() and made.read_text() == self.recipe

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command that runs one of its programs with its own loader and libraries.

        :param program: its path in the root, such as ``usr/sbin/asterisk``.
        """
        loader = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
        below = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib")
        libraries = (str(self.folder / one) for one in below)
        return [str(self.folder / loader), "--library-path", ":".join(libraries), str(self.folder / program),
                *arguments]  # fmt: skip


ASTERISK = {
    22: Root("asterisk-22", "forky", ("asterisk",)),
    16: Root("asterisk-16", "bullseye", ("asterisk",)),
}
"""The platforms, by the major version of Asterisk."""
NETWORK = Root("network", "bookworm", ("kamailio", "baresip-core"))
"""The core network and the telephones."""
ROOTS = (*ASTERISK.values(), NETWORK)


# ---------------------------------------------------------------- what this machine has


def missing_rights() -> str:
    """Why this process may neither build the peers nor listen to their network; empty if it may."""
    if os.uname().machine != "x86_64" or sys.platform != "linux":
        return "the peers are built for Linux on x86-64"
    if os.geteuid() != 0:
        return "needs root, to build the peers and to listen on the loopback interface"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except OSError as error:
        return f"can't listen on the loopback interface: {error}"
    return ""


def apt_mirror() -> str:
    """The Debian mirror that apt uses on this machine, or Debian's own name where it uses none."""
    printed = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=False).stdout
    for address in re.findall(r"'(https?://[^' ]+?)/dists/[a-z]+/InRelease'", printed):
        if re.search(r"debian(/|$)", address) and "security" not in address:
            return str(address)
    return MIRROR


def apt_proxies() -> list[str]:
    """How apt reaches its mirror, as options for mmdebstrap, which doesn't read apt's configuration."""
    printed = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return [f"--aptopt={line.rstrip(';')}" for line in re.findall(r"^Acquire::https?::Proxy \".+\";$", printed, re.M)]


def install_tool() -> None:
    """Install mmdebstrap by apt where it is missing.

    :raise Unavailable: there is no apt, or it can't.
    """
    if shutil.which(_TOOL):
        return
    if not shutil.which("apt-get"):
        raise Unavailable(f"{_TOOL} isn't here, and there is no apt-get to install it")
    say(f"installing {_TOOL}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends", _TOOL, "debian-archive-keyring"]):
        run(["apt-get", *command], f"apt-get {command[0]} failed", quiet)


def run(command: Sequence[str], complaint: str, environment: dict[str, str] | None = None) -> None:
    """Run a command; its words are shown when it fails.

    :raise Unavailable: it failed.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=environment, stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise Unavailable(f"{complaint}: {'; '.join(lines[-3:])}")


# ---------------------------------------------------------------- building


def build(root: Root) -> None:
    """Build a root beside its place, and move it there once it is whole.

    :raise Unavailable: it can't be built.
    """
    started = time.monotonic()
    mirror = apt_mirror()
    say(f"building {root.name} ({', '.join(root.packages)} of Debian {root.release}, from {mirror})")
    try:
        bootstrap(root, mirror)
    except Unavailable:
        bootstrap(root, ARCHIVE)  # an old release; what the mirror said is said again by the archive
    say(f"built {root.name} in {time.monotonic() - started:.0f} s")


def bootstrap(root: Root, mirror: str) -> None:
    """Make a root of what one mirror has.

    :raise Unavailable: the mirror doesn't answer, or doesn't have it.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    coming = CACHE / f"{root.name}.new"
    shutil.rmtree(coming, ignore_errors=True)
    include = f"--include={','.join(root.packages)}"
    run([_TOOL, *_OPTIONS, *apt_proxies(), include, root.release, str(coming), mirror],
        f"{root.name} can't be built from {mirror}")  # fmt: skip
    (coming / "recipe").write_text(root.recipe)
    shutil.rmtree(root.folder, ignore_errors=True)
    coming.rename(root.folder)


def collect() -> None:
    """Have every peer ready, building what isn't.

    :raise Unavailable: they can't be had.
    """
    reason = missing_rights()
    if reason:
        raise Unavailable(reason)
    waiting = [root for root in ROOTS if not root.ready]
    if waiting:
        install_tool()
    with ThreadPoolExecutor(max_workers=2) as builders:
        for built in [builders.submit(build, root) for root in waiting]:
            built.result()


def say(words: str) -> None:
    """Tell whoever waits."""
    print(f"telephony: {words}", flush=True)


def main() -> int:
    """Collect the peers; the exit code."""
    try:
        collect()
    except Unavailable as reason:
        print(f"telephony: can't be run here: {reason}", file=sys.stderr)
        return UNAVAILABLE
    say(f"the peers are in {CACHE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
