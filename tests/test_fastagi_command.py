"""``ctiex voice`` and ``ctiex service --agi`` as they run, ``[voice]`` in the configuration, what is told of both."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from subprocess import PIPE

import pytest
from twisted.python.usage import UsageError

from ctiex.app.commands import service, voice
from ctiex.app.commands.dialplan import dialplan
from ctiex.config.model import VoiceTable
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError
from ctiex.telephony.asterisk.sounds import DEFAULT_SOUNDS

from .pages import csv_tables
from .processes import ROOT, Program, free_port, surroundings
from .waiting import PATIENCE
from .wire_exchange import RunningExchange

UNKNOWN_CALL = ["im-sorry", "cannot-complete-as-dialed"]


# ---------------------------------------------------------------- the configuration


def test_a_file_may_say_nothing() -> None:
    assert parse({}).voice == VoiceTable()


def test_paths_sources_and_prompts_are_taken() -> None:
    table = {
        "listen": "tcp:4573:interface=192.0.2.7",
        "allow": ["192.0.2.12", "2001:db8::/32"],
        "services": {"pin": "password-authentication"},
        "prompts": {"enter-password.formal": ["custom/formal"]},
    }
    read = parse({"voice": table}).voice
    assert (read.services, read.allow) == ({"pin": "password-authentication"}, ("192.0.2.12", "2001:db8::/32"))
    assert read.prompts == {"enter-password.formal": ("custom/formal",)}


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"listen": "udp:4573"}, "voice.listen: found"),
        ({"allow": ["asterisk.example.net"]}, 'voice.allow[0]: found "asterisk.example.net", expected an address'),
        ({"services": {"pin": "pin-check"}}, 'voice.services.pin: found the unknown service "pin-check"'),
        ({"prompts": {"plus": ["../../etc/passwd"]}}, 'found "../../etc/passwd", expected a sound file'),
        ({"prompts": {"plus": "letters/plus"}}, 'found "letters/plus", expected a list'),
        ({"told_within": 0}, "voice.told_within: found 0, expected a number of seconds above 0"),
        ({"port": 4573}, "voice.port: found an unknown key"),
    ],
)
def test_what_is_no_good_is_told(table: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        parse({"voice": table})
    assert line in str(wrong.value)


# ---------------------------------------------------------------- what is told


def test_the_page_has_every_prompt_with_its_sounds() -> None:
    ((_, rows),) = csv_tables("docs/asterisk-platform-2.rst")
    told = {prompt.strip("`"): sounds.strip("`").split() for prompt, _, sounds in rows}
    assert told.pop("bill-total") == ["none:", "spelled"]
    assert told == {prompt: list(sounds) for prompt, sounds in DEFAULT_SOUNDS.items()}


def test_the_dialplan_is_shipped_and_explains_every_line() -> None:
    text = dialplan("2")
    assert text == files("ctiex.telephony").joinpath("dialplan/platform-2.conf").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith(";")]
    assert lines[0] == "[ctiex-service]"
    assert lines[-1] == " same => n(over),Hangup()"
    assert all(re.match(r"exten => s,1,| same => n(\(\w+\))?,", line) for line in lines[1:])
    for path in voice.DEFAULT_PATHS:
        assert f"Gosub(ctiex-service,s,1({path}))" in text


# ---------------------------------------------------------------- the commands


def test_a_customer_comes_by_telephone_or_does_not() -> None:
    for more in (["--listen", "tcp:7400"], ["--media", "scripted"]):
        with pytest.raises(UsageError, match="--agi"):
            service.Options().parseOptions(["number-broadcast", "--agi", "tcp:4573", *more])


def test_a_configuration_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "voice.toml").write_text('[voice]\nallow = "everybody"\n')
    options = voice.Options()
    options.parseOptions(["--config", str(tmp_path / "voice.toml")])
    with pytest.raises(UsageError, match=r"voice\.allow"):
        options.configuration()


@contextmanager
def running(*arguments: str, stderr: int | None = None) -> Iterator[Program[str]]:
    """A command, from when it is ready."""
    command = [sys.executable, "-c", "from ctiex.app.cli import main; main()", *arguments]
    environment = surroundings(PYTHONUNBUFFERED="1")
    with Program[str](command, env=environment, stdout=PIPE, stderr=stderr, text=True, cwd=ROOT) as process:
        yield process


def heard_by_a_stranger(port: int, path: str) -> list[str]:
    """The sounds that a caller with an unknown serial hears."""
    heard = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rw") as lines:
        lines.write(f"agi_network_script: {path}\nagi_callerid: 100**99999\n\n")
        lines.flush()
        for line in lines:
            if line.startswith("STREAM FILE"):
                heard.append(line.split()[2])
            lines.write("200 result=0 endpos=0\n")
            lines.flush()
    return heard


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    made = RunningExchange(Path(tmp_path_factory.mktemp("voice")))
    yield made
    made.stop()


@pytest.mark.parametrize("command", ["voice", "service"])
def test_a_stranger_hears_an_announcement(exchange: RunningExchange, command: str) -> None:
    port = free_port()
    listen = f"tcp:{port}:interface=127.0.0.1"
    place = ["--listen", listen] if command == "voice" else ["--agi", listen, "password-authentication"]
    with running(command, "--exchange", f"tcp:127.0.0.1:{exchange.service_port}", *place) as process:
        assert process.stdout is not None
        said = iter(process.stdout)
        assert listen in next(said)
        assert "is ready" in next(said)
        assert heard_by_a_stranger(port, "password") == UNKNOWN_CALL


def test_a_port_that_is_taken_is_told(exchange: RunningExchange) -> None:
    listen = f"tcp:{exchange.service_port}:interface=127.0.0.1"
    with running("voice", "--listen", listen, stderr=PIPE) as process:
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2
    assert f"the address for AGI calls: Couldn't listen on 127.0.0.1:{exchange.service_port}" in told
    for name in voice.MADE_UP:
        assert f"warning: {name} knows only made-up customers" in told
