"""The examples of docs/examples, each run as its reader runs it: a process of its own, over real TCP."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from runpy import run_path
from subprocess import PIPE, STDOUT
from threading import Thread
from urllib.request import urlopen

import pytest
from twisted.trial.unittest import SynchronousTestCase

from ctiex.interfaces import IOrganizer, ISerialCarrier
from ctiex.testing.carrier_contract import SerialCarrierContract
from ctiex.testing.organizer_contract import OrganizerContract

from .processes import ROOT, TWISTD, Program, accepts, finished, free_port, surroundings
from .waiting import PATIENCE, until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Peer

EXAMPLES = ROOT / "docs" / "examples"
PYTHON = sys.executable
BOOKED = "completed: tries=1, call_back_at=09:30"

Start = Callable[..., "Running"]


class Running:
    """An example in a process of its own, and what it has said so far."""

    def __init__(self, directory: Path, command: tuple[str, ...], site: Path | None, **environment: str) -> None:
        self.process = Program[str](
            command,
            cwd=directory,
            env=surroundings(*([site] if site else []), **environment),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def until(self, reached: Callable[[], bool]) -> Running:
        """Wait for something that this process is to bring about."""
        until(reached, lambda: self.said, self.process)
        return self

    def until_said(self, text: str) -> Running:
        return self.until(lambda: text in self.said)

    def until_listening(self, *ports: int) -> Running:
        return self.until(lambda: all(map(accepts, ports)))

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def result(self) -> str:
        """What it has said once it ends by itself, which is to be without an error."""
        code = self.process.ends()
        self._reader.join(PATIENCE)
        assert code == 0, self.said
        return self.said

    def stop(self) -> str:
        """End it as an operator would; what it has said, in which no traceback may be."""
        self.process.send_signal(signal.SIGINT)
        self.process.ends()
        self._reader.join(PATIENCE)
        assert "Traceback" not in self.said, self.said
        return self.said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts examples; what still runs when the test ends is stopped, the last one first."""
    running: list[Running] = []

    def run(*command: str, site: Path | None = None, **environment: str) -> Running:
        running.append(Running(tmp_path, command, site, **environment))
        return running[-1]

    with ExitStack() as ends:
        yield run
        for one in running:
            ends.enter_context(one.process)
            ends.callback(one.stop)


def local(port: int) -> str:
    return f"tcp:{port}:interface=127.0.0.1"


def handing_over(
    start: Start, port: int, service: str, *fields: str, site: Path | None = None, codec: str = "binary"
) -> Running:
    """An agent who hands one customer over."""
    command = (PYTHON, str(EXAMPLES / "hand_over.py"), service, "13800138000", *fields)
    return start(*command, site=site, EXCHANGE=f"tcp:127.0.0.1:{port}", CODEC=codec)


def hand_over(start: Start, port: int, service: str, *fields: str) -> str:
    """What an agent sees of one hand-off."""
    return handing_over(start, port, service, *fields).result()


def own_service(start: Start, port: int, *typed: str) -> Running:
    command = (PYTHON, str(EXAMPLES / "own_service.py"), *typed)
    return start(*command, EXCHANGE=f"tcp:127.0.0.1:{port}").until_said("waiting for customers")


def exchange(start: Start, configuration: Path, site: Path | None = None) -> tuple[int, int]:
    """``twistd -n ctiex`` with a configuration: its ports for agents and for services."""
    agents, services = free_port(), free_port()
    options = ("--config", str(configuration), "--agent-listen", local(agents), "--ivr-listen", local(services))
    start(*TWISTD, "ctiex", *options, site=site).until_listening(agents, services)
    return agents, services


def in_order(text: str, *parts: str) -> bool:
    """Whether the parts stand in the text one behind the other."""
    at = 0
    for part in parts:
        at = text.find(part, at) + 1
        if not at:
            return False
    return True


# ---------------------------------------------------------------- the embedding applications

RUNNERS = [
    pytest.param((*TWISTD, "--logfile=-", "-y"), id="twistd", marks=pytest.mark.gate),
    pytest.param((PYTHON,), id="python"),
]


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_application_that_embeds_the_exchange(start: Start, runner: tuple[str, ...]) -> None:
    agents, services, status = free_port(), free_port(), free_port()
    listen = {"AGENT_LISTEN": local(agents), "IVR_LISTEN": local(services), "STATUS_LISTEN": local(status)}
    application = start(*runner, str(EXAMPLES / "embedded_exchange.py"), **listen)
    application.until_listening(agents, services, status)
    own_service(start, services, "0930")
    seen = hand_over(start, agents, "callback-booking", "opens=900", "closes=1700")
    assert in_order(seen, "serial ", "connecting", "connected", "data fetched", BOOKED), seen
    with urlopen(f"http://127.0.0.1:{status}/", timeout=PATIENCE) as page:
        assert json.load(page) == {"ready": True, "agents": 0, "calls_open": 0, "calls_reported": 1}
    assert "session" in application.stop()


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_application_that_embeds_the_agent_link_alone(start: Start, runner: tuple[str, ...]) -> None:
    agents = free_port()
    application = start(*runner, str(EXAMPLES / "embedded_agent_link.py"), AGENT_LISTEN=local(agents))
    application.until_listening(agents)
    for _ in range(2):
        seen = hand_over(start, agents, "survey", "language=de")
        assert in_order(seen, "serial ", "connecting", "connected", "data fetched", "completed: score=5"), seen
    application.until_said("13800138000 is back with the agent")
    told = application.stop()
    steps = "goes to 7300", "hears the survey in de", "is back with the agent"
    assert in_order(told, *(f"13800138000 {step}" for step in steps * 2)), told


# ---------------------------------------------------------------- a desk


def test_a_desk_at_the_practice_exchange(start: Start) -> None:
    agents = free_port()
    practice = start(PYTHON, str(EXAMPLES / "practice_exchange.py"), AGENT_LISTEN=local(agents), CUSTOMERS_EVERY="3600")
    practice.until_listening(agents)
    seen = start(PYTHON, str(EXAMPLES / "desk.py"), EXCHANGE=f"tcp:127.0.0.1:{agents}").result()
    steps = (
        "you are ready",
        "alerting: ",
        "established: ",
        "held: ",
        "| retrieve ",
        "retrieved: ",
        "topic=bill",
        "cleared",
    )
    assert in_order(seen, *steps, "you are logged_out"), seen
    practice.stop()


# ---------------------------------------------------------------- an automatic service of one's own


def test_an_own_service_against_an_exchange_of_its_own(start: Start) -> None:
    agents, services = exchange(start, EXAMPLES / "own_service.toml")
    own_service(start, services, "0500", "0930#")
    seen = hand_over(start, agents, "callback-booking", "opens=900", "closes=1700")
    assert in_order(seen, "connected", "progress: refused=0500", "completed: tries=2, call_back_at=09:30"), seen


@pytest.mark.gate
def test_an_own_service_whose_customer_chooses_no_time(start: Start) -> None:
    agents, services = exchange(start, EXAMPLES / "own_service.toml")
    own_service(start, services, "2500", "12")
    seen = hand_over(start, agents, "callback-booking")
    assert in_order(seen, "refused=2500", "refused=12", "failed: tries=3, reason=no time was chosen"), seen


@pytest.mark.gate
def test_an_own_service_whose_customer_sits_at_the_terminal(start: Start) -> None:
    agents, services = exchange(start, EXAMPLES / "own_service.toml")
    service = own_service(start, services)
    service.type("0930")
    seen = hand_over(start, agents, "callback-booking")
    assert in_order(seen, "connected", BOOKED), seen
    service.until_said("[prompt: we-call-you-back-at]").until_said('"0 9 3 0"')


# ---------------------------------------------------------------- a distribution of a third party


@pytest.fixture(scope="module")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its source, copied; and beside it ``site``, where its wheel is installed."""
    work = tmp_path_factory.mktemp("third_party")
    clutter = shutil.ignore_patterns(
        "__pycache__", "dropin.cache", "build", "*.egg-info", ".hypothesis", "_trial_temp*"
    )
    shutil.copytree(EXAMPLES / "third_party", work / "source", ignore=clutter)
    pip = (PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check")
    offline = ("--no-index", "--no-deps")
    run(work, *pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", "wheels", "./source")
    (wheel,) = (work / "wheels").glob("ctiex_smallsite-*.whl")
    run(work, *pip, "install", *offline, "--target", "site", str(wheel))
    return work


def run(directory: Path, *command: str, site: Path | None = None) -> str:
    """Run a command to its end, which is to be without an error; what it has said."""
    places = [site] if site else []
    return str(finished(command, check=True, cwd=directory, env=surroundings(*places), text=True).stdout)


@pytest.mark.gate
def test_a_third_party_adds_nothing_to_the_package_of_others(third_party: Path) -> None:
    added = sorted(str(path.relative_to(third_party / "site")) for path in (third_party / "site").rglob("*.py"))
    assert added == [f"ctiex_smallsite/{name}.py" for name in ("__init__", "one_file", "plugins", "prefixed_json")]


HOW_OFTEN = """
from hypothesis import settings
settings.register_profile("short", max_examples=25)
settings.load_profile("short")
"""
"""Whoever runs a contract says how many examples it tries."""


@pytest.mark.gate
def test_a_third_party_holds_its_own_to_the_contracts(third_party: Path) -> None:
    (third_party / "source" / "conftest.py").write_text(HOW_OFTEN)
    said = run(third_party / "source", PYTHON, "-m", "pytest", "-v", site=third_party / "site")
    for test in ("test_every_split_gives_the_same", "test_changes_in_a_row_fail_together_and_the_next_are_kept"):
        assert f"{test} PASSED" in said, said


def test_an_exchange_with_the_codec_and_the_store_of_a_third_party(
    start: Start, third_party: Path, tmp_path: Path
) -> None:
    configuration, site = third_party / "source" / "exchange.toml", third_party / "site"
    agents, services = exchange(start, configuration, site)
    own_service(start, services, "0930")
    seen = handing_over(start, agents, "callback-booking", site=site, codec="prefixed-json").result()
    assert in_order(seen, "connecting", "connected", "data fetched", "completed: tries=1, time=09:30"), seen
    with sqlite3.connect(tmp_path / "calls.sqlite") as database:
        ((kept, state),) = database.execute("SELECT serial, json_extract(record, '$.state') FROM calls")
    database.close()
    assert (f"serial {kept}" in seen, state) == (True, "closed")


# ---------------------------------------------------------------- plugins of the house

house = run_path(str(EXAMPLES / "house_plugins.py"))
HOUSE_CONFIGURATION = """
[carrier]
kind = "leading"
[services.bill]
access_code = "7200"
signalling = "command"
program = "PROGRAM"
[services.bill.request]
organizer = "last-four"
field = "account"
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["bill"]
"""


class LeadingCarrierTests(SerialCarrierContract, SynchronousTestCase):
    """The carrier of docs/examples/house_plugins.py."""

    def make_carrier(self) -> ISerialCarrier:
        """The carrier."""
        carrier: ISerialCarrier = house["LeadingCarrier"]()
        return carrier


class LastFourOrganizerTests(OrganizerContract, SynchronousTestCase):
    """The organizer of docs/examples/house_plugins.py."""

    def make_organizer(self) -> IOrganizer:
        """The organizer, for a field that the contract knows."""
        organizer: IOrganizer = house["last_four"].build(house["LastFourSettings"](field="account"))
        return organizer


@pytest.fixture
def house_exchange(start: Start, tmp_path: Path) -> tuple[int, int]:
    """An exchange that uses all three, with a program that notes what it was called with."""
    plugins = tmp_path / "site" / "ctiex" / "plugins"
    plugins.mkdir(parents=True)
    shutil.copy(EXAMPLES / "house_plugins.py", plugins)
    program, configuration = tmp_path / "forward", tmp_path / "exchange.toml"
    program.write_text('#!/bin/sh\n[ "$2" != "*1*unknown" ] && echo "$1 $2" > "${0%/*}/forwarded"\n')
    program.chmod(0o755)
    configuration.write_text(HOUSE_CONFIGURATION.replace("PROGRAM", str(program)))
    return exchange(start, configuration, tmp_path / "site")


@pytest.mark.gate
def test_a_call_forwarded_organized_and_carried_by_plugins_of_the_house(
    start: Start, house_exchange: tuple[int, int], tmp_path: Path
) -> None:
    agents, services = house_exchange
    agent = handing_over(start, agents, "bill", "account=AB-123456789").until_said("connected")
    code, carried = (tmp_path / "forwarded").read_text().split()
    _, serial, number = carried.split("*")
    assert (code, number, f"serial {serial}" in agent.said) == ("7200", "13800138000", True)
    service = Peer(services)
    assert service.bind(SERVICE_ROLE, "ivr", "ivr-secret")["status"] == 0
    assert list(service.data(serial)["fields"]) == [("account", "...6789")]
    service.report(serial, 1, fields=[("amount", "12.50")])
    service.close()
    assert in_order(agent.result(), "connecting", "connected", "data fetched", "completed: amount=12.50")


def test_a_call_that_the_program_of_the_house_does_not_forward(house_exchange: tuple[int, int]) -> None:
    agent = Peer(house_exchange[0])
    assert agent.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    assert agent.login("1001")["status"] == 0
    assert agent.connect("1001", "1", "bill", "unknown")["status"] == 0
    told = [agent.event() for _ in range(2)]
    assert [(one["condition"], one["status"]) for one in told] == [(10, 0), (14, 32)]
    agent.close()
