"""README and tutorial: their commands and code run as a reader would run them."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import parse

from .pages import Terminal, block_with, code_blocks, commands, environment, page
from .processes import finished, free_port


class Reader:
    """Somebody who does what a page says, in a directory of their own and on ports that are free."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory
        self._agents, self._services = free_port(), free_port()
        self._numbers = itertools.count(1)
        self._terminals: list[Terminal] = []

    def writes(self, file: str, text: str) -> None:
        ported = text.replace("tcp:127.0.0.1:7301", f"tcp:127.0.0.1:{self._services}")
        (self._directory / file).write_text(ported, encoding="utf-8")

    def runs(self, command: str) -> Terminal:
        """Run one of the page's commands."""
        assert command in commands(self.name), f"{self.name} doesn't say {command!r}"
        terminal = Terminal(self._words(command), self._directory, next(self._numbers))
        self._terminals.append(terminal)
        return terminal

    def _words(self, command: str) -> list[str]:
        program, *words = shlex.split(command.replace(".venv/bin", str(Path(sys.executable).parent)))
        match words:
            case ["-n", "ctiex", *_]:
                words += ["--agent-listen", f"tcp:{self._agents}:interface=127.0.0.1"]
                words += ["--ivr-listen", f"tcp:{self._services}:interface=127.0.0.1"]
            case ["agent", *_]:
                words += ["--exchange", f"tcp:127.0.0.1:{self._agents}"]
            case ["service", *others]:
                words = ["service", "--exchange", f"tcp:127.0.0.1:{self._services}", *others]
        return [program, *words]

    def runs_the_exchange(self, command: str) -> Terminal:
        exchange = self.runs(command)
        exchange.sees("is ready")
        return exchange

    def runs_the_agent(self) -> Terminal:
        agent = self.runs(".venv/bin/ctiex agent")
        agent.sees("is logged in")
        return agent

    def leaves(self) -> None:
        for terminal in reversed(self._terminals):
            terminal.close()


@pytest.fixture
def readme(directory: Path) -> Iterator[Reader]:
    reader = Reader("README.md", directory)
    yield reader
    reader.leaves()


@pytest.fixture
def tutorial(directory: Path) -> Iterator[Reader]:
    reader = Reader("docs/tutorial.rst", directory)
    yield reader
    reader.leaves()


def shown(name: str, words: str) -> list[str]:
    """The lines of the page's one block of output with these words, without what differs each time."""
    return unnumbered(block_with(name, "text", words))


def unnumbered(text: str) -> list[str]:
    """Lines with every serial made the same."""
    return re.sub(r"\b\d{19}\b", "SERIAL", text).splitlines()


def typed(name: str, words: str) -> str:
    return block_with(name, "text", f"connect {words}").strip()


# ---------------------------------------------------------------- README and tutorial


def test_the_readmes_first_hand_off_goes_as_it_shows(readme: Reader) -> None:
    readme.runs_the_exchange(".venv/bin/twistd -n ctiex")
    service = ".venv/bin/ctiex service --media scripted --typed 12,246810 password-authentication"
    readme.runs(service).sees("is ready under access code 7000")
    agent = readme.runs_the_agent()
    agent.type(typed("README.md", "password-authentication"))
    seen = agent.sees(r"event 6, .*\n")
    assert unnumbered(seen)[-7:] == shown("README.md", "tries=2")


@pytest.mark.gate
def test_the_readmes_own_service_serves_a_customer(readme: Reader) -> None:
    readme.writes("survey.toml", next(text for language, text in code_blocks("README.md") if language == "toml"))
    readme.writes("survey.py", block_with("README.md", "python", "async def survey"))
    readme.runs_the_exchange(".venv/bin/twistd -n ctiex --config survey.toml")
    customer = readme.runs(".venv/bin/python survey.py")
    customer.sees("survey is ready under access code 7100")
    agent = readme.runs_the_agent()
    agent.type(typed("README.md", "survey"))
    customer.sees(r"welcome\.en")
    customer.sees("how-content-are-you")
    customer.type("5")
    assert unnumbered(agent.sees(r"event 4, .*\n"))[-1:] == shown("README.md", "score=5")
    customer.sees("thank-you")
    agent.type("quit")
    assert agent.ended() == 0


def test_the_readmes_configuration_can_be_used() -> None:
    configuration = parse(tomllib.loads(block_with("README.md", "toml", "platform-1-agents")))
    assert list(wrong_plugins(configuration)) == []
    assert not configuration.demo_identities


def test_the_readmes_application_embeds_an_exchange(readme: Reader, directory: Path) -> None:
    readme.writes("survey.toml", '[services.survey]\naccess_code = "7100"\n')
    code = block_with("README.md", "python", "setServiceParent")
    check = "\nassert [type(one) for one in __import__('twisted.application.service').application.service"
    check += ".IServiceCollection(application)] == [Exchange]\n"
    finished([sys.executable, "-c", code + check], check=True, cwd=directory, env=environment())


@pytest.mark.gate
def test_the_tutorials_hand_overs_go_as_it_shows(tutorial: Reader) -> None:
    exchange = tutorial.runs_the_exchange(".venv/bin/twistd -n ctiex")
    customer = tutorial.runs(".venv/bin/ctiex service password-authentication")
    customer.sees("password-authentication is ready under access code 7000")
    agent = tutorial.runs_the_agent()
    hand_over = typed("docs/tutorial.rst", "password-authentication")
    agent.type(hand_over)
    for password in ("12", "246810"):
        customer.sees("Enter: ")
        customer.type(password)
    assert unnumbered(agent.sees(r"event 6, .*\n"))[-6:] == shown("docs/tutorial.rst", "event 6")

    agent.type(typed("docs/tutorial.rst", "bill-broadcast"))
    assert unnumbered(agent.sees(r"event 8, .*\n"))[-1:] == shown("docs/tutorial.rst", "event 8")
    assert "``connect weather 13800138000``" in page("docs/tutorial.rst")
    agent.type("connect weather 13800138000")
    assert agent.sees(r"error: .*\n").splitlines() == shown("docs/tutorial.rst", "error: status 30")

    agent.type(hand_over)
    customer.sees("Enter: ")
    agent.type("quit")
    assert agent.ended() == 1, "a command has failed, and nobody sat at a terminal"
    customer.type("246810")
    customer.sees("completed")
    again = tutorial.runs_the_agent()
    again.sees("completed: valid=true")

    exchange.close()
    tutorial.runs_the_exchange(".venv/bin/twistd -n ctiex")
    again.type("connect number-broadcast 13800138000 number=114")
    again.sees("is stored")


@pytest.mark.gate
def test_the_tutorials_own_service_serves_a_customer(tutorial: Reader) -> None:
    tutorial.writes("survey.toml", block_with("docs/tutorial.rst", "toml", "[services.survey]"))
    tutorial.writes("survey.py", block_with("docs/tutorial.rst", "python", "async def survey"))
    assert tutorial.runs(".venv/bin/ctiex check-config survey.toml").ended() == 0
    tutorial.runs_the_exchange(".venv/bin/twistd -n ctiex --config survey.toml")
    customer = tutorial.runs(".venv/bin/python survey.py")
    customer.sees("survey is ready under access code 7100")
    agent = tutorial.runs_the_agent()
    agent.type(typed("docs/tutorial.rst", "survey"))
    for answer in ("9", "4"):
        customer.sees("Enter: ")
        customer.type(answer)
    assert unnumbered(agent.sees(r"event 5, .*\n"))[-2:] == shown("docs/tutorial.rst", "customer_score=4")


def test_the_tutorials_frame_is_decoded_as_it_shows(tutorial: Reader) -> None:
    (command,) = (line for line in commands("docs/tutorial.rst") if "decode" in line)
    decoded = tutorial.runs(command)
    assert decoded.ended() == 0
    assert decoded.sees(r"features: \n").splitlines() == shown("docs/tutorial.rst", "softphone")
