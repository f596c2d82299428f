"""``twistd --uid``: what needs the rights of root is done with them, and what is made belongs to the user."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from tempfile import TemporaryDirectory

import pytest

from .certificates import Authority
from .processes import Program, free_port, surroundings

_WITHIN = 120.0
"""How long anything may take, in seconds: only a fault meets it."""
NOBODY = "nobody"
TWISTD = "import sys, encodings.ascii; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
"""With what a Python loads late that may stand where this user can't look."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process that becomes somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of root's that everybody may look into, with one of the user's in it."""
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "var").mkdir()
        os.chown(place / "var", pwd.getpwnam(NOBODY).pw_uid, pwd.getpwnam(NOBODY).pw_gid)
        yield place


def privileged_port() -> int:
    """A free port that only root binds."""
    for port in range(900, 1000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("every port is taken")


def run(folder: Path, how: str = "--uid") -> Program[str]:
    """An exchange that root starts for the user."""
    options = ["-n", f"--pidfile={folder}/var/pid", how, NOBODY, "--gid", str(pwd.getpwnam(NOBODY).pw_gid)]
    return Program(
        [sys.executable, "-c", TWISTD, *options, "ctiex", "--config", str(folder / "exchange.toml")],
        cwd=folder, env=surroundings(), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True,
    )  # fmt: skip


def until_ready(process: Program[str]) -> str:
    """What it says until it is ready."""
    said, deadline = "", time.monotonic() + _WITHIN
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if "is ready: agents at" in line:
            return said
        assert time.monotonic() < deadline, said
    raise AssertionError(said)


@pytest.mark.gate
def test_the_first_start_makes_everything_for_the_user(folder: Path) -> None:
    certificate, key = Authority("root").sign_server().save(folder, "exchange")  # root's, for its eyes only
    agents, metrics = privileged_port(), free_port()
    (folder / "exchange.toml").write_text(
        f'[links.agent]\nlisten = "ctiex-tls:{agents}:interface=127.0.0.1:certificate={certificate}:key={key}"\n'
        f'[links.ivr]\nlisten = "unix:{folder}/var/services"\n'
        f'[metrics]\nlisten = "tcp:{metrics}:interface=127.0.0.1"\n'
        f'[store]\nkind = "sqlite"\npath = "{folder}/var/calls.sqlite"\n[audit]\nfile = "{folder}/var/audit.jsonl"\n'
    )
    for _ in range(2):  # the second one finds what the first has made
        process = run(folder)
        try:
            until_ready(process)
            made = list((folder / "var").iterdir())
            owners = {path.name: pwd.getpwuid(path.lstat().st_uid).pw_name for path in made}
            assert {
                "calls.sqlite",
                "calls.sqlite.key",
                "calls.sqlite-progress",
                "audit.jsonl",
                "services",
            } <= owners.keys()
            assert {name: owner for name, owner in owners.items() if owner != NOBODY} == {"pid": "root"}
            with socket.create_connection(("127.0.0.1", agents), timeout=_WITHIN) as link:
                trusting = ssl.create_default_context()
                trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
                trusting.wrap_socket(link).close()
        finally:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=_WITHIN)
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert not (folder / "var" / "services").exists()


def test_a_store_in_a_folder_of_root_s_is_told_and_ends_the_start(folder: Path) -> None:
    ports = free_port(), free_port()
    (folder / "exchange.toml").write_text(
        f'[links.agent]\nlisten = "tcp:{ports[0]}:interface=127.0.0.1"\n'
        f'[links.ivr]\nlisten = "tcp:{ports[1]}:interface=127.0.0.1"\n'
        f'[store]\nkind = "sqlite"\npath = "{folder}/calls.sqlite"\n'
    )
    process = run(folder)
    said, _ = process.communicate(timeout=_WITHIN)
    assert process.returncode == 1
    assert "Permission denied" in said
    assert str(folder / "calls.sqlite") in said
