"""What the pages say is so: their commands and code run as a reader would run them, their tables are the code's."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shlex
import sys
import textwrap
import tomllib
import unittest
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import attrs
import pytest

from ctiex.config import model as config_model
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import load, parse
from ctiex.errors import ConfigurationError
from ctiex.interfaces import (
    ICheckerPlugin,
    IJournalPlugin,
    IOrganizerPlugin,
    ISerialCarrierPlugin,
    ISignallingPlugin,
)
from ctiex.limits import Limits
from ctiex.messages import Condition
from ctiex.monitoring.counters import Counters
from ctiex.plugins import plugins
from ctiex.processing.field_rules import RuleSettings
from ctiex.processing.states import TIMED_OUT_AS, TIMEOUT_OF, TRANSITIONS, Step
from ctiex.records import CallState
from ctiex.settings import NoSettings, structure
from ctiex.telephony.asterisk.settings import AsteriskSettings

from .processes import ROOT, Program, finished, free_port, surroundings
from .test_imports import ORDER, TOOLS, VALUES
from .waiting import until

DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "ctiex"

# ---------------------------------------------------------------- reading the pages


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> list[tuple[str, str]]:
    """The language and the text of each code block of a page."""
    if name.endswith(".md"):
        return re.findall(r"^```(\w+)\n(.*?)^```", page(name), re.M | re.S)
    found = re.findall(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", page(name), re.M)
    return [(language, textwrap.dedent(text).strip("\n") + "\n") for language, text in found]


def block_with(name: str, language: str, words: str) -> str:
    """The one block of this language that has these words."""
    (found,) = {text for kind, text in code_blocks(name) if kind == language and words in text}
    return found


def commands(name: str) -> list[str]:
    """What the page tells its reader to type at a shell."""
    lines: list[str] = []
    for language, text in code_blocks(name):
        if language == "sh":
            lines += text.splitlines()
        elif language == "console":
            lines += [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return lines


def section(name: str, title: str) -> str:
    """The part of a page in reStructuredText from one title to the next of any level."""
    _, behind = re.split(rf"^{re.escape(title)}\n[=~-]+\n", page(name), flags=re.M)
    return re.split(r"^\S.*\n[=~-]{3,}\n", behind, flags=re.M)[0]


def list_tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of each list-table, without the head."""
    for table in re.findall(r"^\.\. list-table::\n(?:   :.*\n)+\n((?:   .*\n|\n)+)", text, re.M):
        rows = re.split(r"^   \* - ", table, flags=re.M)[1:]
        cells = [re.split(r"^     - ", row, flags=re.M) for row in rows]
        yield [[" ".join(cell.split()) for cell in row] for row in cells][1:]


def csv_tables(name: str) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of each csv-table."""
    found = re.findall(r"^\.\. csv-table::\n   :header: (.*)\n(?:   :.*\n)*\n((?:   .*\n)+)", page(name), re.M)
    return [(_csv(head)[0], _csv(textwrap.dedent(rows))) for head, rows in found]


def _csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), skipinitialspace=True))


# ---------------------------------------------------------------- doing what they say


def environment() -> dict[str, str]:
    without_secret = surroundings(PYTHONUNBUFFERED="1")
    without_secret.pop("CTIEX_SECRET", None)
    return without_secret


class Terminal:
    """A terminal in which one command runs."""

    def __init__(self, command: list[str], directory: Path, number: int) -> None:
        self._output = directory / f"terminal-{number}"
        with self._output.open("wb") as output:
            self._process = Program[bytes](
                command, cwd=directory, env=environment(), stdin=PIPE, stdout=output, stderr=output
            )
        self._looked_at = 0

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def sees(self, pattern: str) -> str:
        """Wait until what was printed since the last look has this pattern; gives that."""

        def printed() -> re.Match[str] | None:
            return re.search(pattern, self._output.read_text()[self._looked_at :])

        found = until(printed, lambda: f"no {pattern!r} in:\n{self._output.read_text()}", self._process)
        assert found
        self._looked_at += found.end()
        return found.string[: found.end()]

    def ended(self) -> int:
        return self._process.ends()

    def close(self) -> None:
        self._process.end()


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
def directory(tmp_path: Path) -> Path:
    return tmp_path


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
    """Lines with every allocated serial made the same."""
    return re.sub(r"\d{20}", "SERIAL", text).splitlines()


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
    assert decoded.sees(r"softphone 2\n").splitlines() == shown("docs/tutorial.rst", "softphone")


def test_every_command_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.M))
    for name in ("README.md", "CONTRIBUTING.md", "docs/tutorial.rst", "docs/index.rst"):
        assert set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", page(name), re.M)) <= {
            pair for target in targets for pair in ((target, ""), ("", target))
        }, name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_files_that_are_named_are_there(name: str) -> None:
    named = re.findall(r"\]\(([^):]+)\)|`((?:docs|tests|changelog\.d)/[^`*]+\.\w+|[\w.]+\.cfg)`", page(name))
    files = {link or quoted for link, quoted in named}
    assert files
    built = {"docs/_build/html"}
    assert [file for file in files - built if not (ROOT / file).exists()] == []


def test_the_modules_that_contributing_names_are_there() -> None:
    names = re.findall(r"`([a-z_]+(?:/[a-z_]*)?(?:\.py|/))`", page("CONTRIBUTING.md"))
    assert names
    assert [name for name in names if not ((SOURCE / name).exists() or (ROOT / name).exists())] == []


# ---------------------------------------------------------------- writing a service


def test_the_example_of_a_services_test_passes() -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(block_with("docs/writing-a-service.rst", "python", "class PasswordTests"), names)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(names["PasswordTests"]).run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.failures + result.errors


# ---------------------------------------------------------------- configuration

_MODELS: dict[str, type[attrs.AttrsInstance]] = {
    "``[exchange]``": config_model.ExchangeSettings,
    "``[links.agent]`` and ``[links.ivr]``": config_model.AgentLinkSettings,
    "``[store]``": config_model.StoreSettings,
    "``[carrier]``": config_model.CarrierSettings,
    "``[signalling.asterisk]``": AsteriskSettings,
    "``[voice]``": config_model.VoiceTable,
    "``[metrics]``": config_model.MetricsSettings,
    "``[audit]``": config_model.AuditSettings,
    "``[limits]``": Limits,
    "``[login]``": config_model.LoginSettings,
    "``[identities.NAME]``": config_model.IdentitySettings,
    "``[services.NAME]``": config_model.ConfiguredService,
    "``[services.NAME.request]`` and ``[services.NAME.result]``": config_model.OrganizerSettings,
}


def default_of(attribute: attrs.Attribute[Any]) -> str:
    """A default as the reference writes it."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "required"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return "``{}``"
    return f"``{json.dumps(list(default) if isinstance(default, tuple) else default)}``"


@pytest.mark.parametrize("title", _MODELS)
def test_the_reference_has_every_key_with_its_default(title: str) -> None:
    table = next(list_tables(section("docs/configuration.rst", title)))
    told = {key: default for key, _, default, _ in table}
    known = [one for one in attrs.fields(_MODELS[title]) if one.metadata != config_model.REST]
    assert told == {f"``{one.name}``": default_of(one) for one in known}


def test_the_reference_names_every_key_of_the_plugins_that_are_built_in() -> None:
    text = page("docs/configuration.rst")
    interfaces = (IJournalPlugin, ICheckerPlugin, IOrganizerPlugin, ISerialCarrierPlugin, ISignallingPlugin)
    known = {
        f"{plugin.name}: {attribute.name}"
        for interface in interfaces
        for plugin in plugins(interface)
        for declared in (plugin.settings, getattr(plugin, "service_settings", NoSettings))
        for attribute in attrs.fields(declared)
        if not re.search(rf"(?:``|\n *|\.){attribute.name}(?:``| = )", text)
    }
    assert known == set()


def test_the_reference_has_every_table() -> None:
    titles = re.findall(r"\[(\w+)[].]", " ".join(_MODELS))
    assert set(titles) == {one.name for one in attrs.fields(config_model.FileTables)}


def test_both_links_have_the_same_keys() -> None:
    agent, ivr = (attrs.asdict(one()) for one in (config_model.AgentLinkSettings, config_model.IvrLinkSettings))
    assert {key for key in agent if agent[key] != ivr[key]} == {"listen"}
    assert agent["listen"].replace("7300", "7301") == ivr["listen"]
    assert agent.keys() == ivr.keys()


def test_the_reference_has_every_rule_of_organizing_with_a_good_example() -> None:
    title = "``[services.NAME.request]`` and ``[services.NAME.result]``"
    *_, rules = list_tables(section("docs/configuration.rst", title))
    examples = {key.strip("`"): example.strip("`") for key, example, _ in rules}
    for key, example in examples.items():
        structure(tomllib.loads(f"{key} = {example}"), RuleSettings)
    with pytest.raises(ConfigurationError, match="expected one of: ") as unknown:
        structure({"no-such-key": 1}, RuleSettings)
    assert set(str(unknown.value).split("one of: ")[1].split(", ")) == set(examples)


def test_the_whole_example_can_be_used() -> None:
    configuration = load(str(DOCS / "exchange.toml"))
    assert list(wrong_plugins(configuration)) == []
    assert configuration.warnings == ()


def test_an_error_of_the_configuration_reads_as_shown(directory: Path) -> None:
    file = directory / "exchange.toml"
    file.write_text('[links.agent]\nheartbeat = "30"\n')
    with pytest.raises(ConfigurationError) as wrong:
        load(str(file))
    assert str(wrong.value).replace(str(file), "exchange.toml") in page("docs/configuration.rst")


# ---------------------------------------------------------------- the states, the metrics


def test_the_states_in_the_page_are_those_of_the_code() -> None:
    (head, rows), (_, waits) = csv_tables("docs/architecture.rst")
    steps = [Step[name.upper()] for name in head[1:]]
    told = {
        (CallState(row[0]), step): CallState(cell)
        for row in rows
        for step, cell in zip(steps, row[1:], strict=True)
        if cell != "—"
    }
    assert told == TRANSITIONS
    assert {CallState(row[0]) for row in rows} == set(CallState)
    assert {state: wait.removesuffix("_timeout") for state, wait, _ in waits} == {
        state.value: name.removesuffix("_timeout") for state, name in TIMEOUT_OF.items()
    }
    ends = {CallState(state): Condition(int(told.split()[1])) for state, _, told in waits if told.startswith("event")}
    assert ends == TIMED_OUT_AS


def test_the_operators_page_has_every_counter() -> None:
    told = re.findall(r"^   \* - ``ctiex_(\w+)_total``", page("docs/operating.rst"), re.M)
    assert told == [one.name for one in attrs.fields(Counters)]


# ---------------------------------------------------------------- TOML


def pages() -> list[str]:
    """Every page that people read."""
    return [str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *DOCS.rglob("*.rst"), *DOCS.rglob("*.md"))]


@pytest.mark.parametrize("name", pages())
def test_what_is_shown_as_toml_is_toml(name: str) -> None:
    blocks = [text for language, text in code_blocks(name) if language == "toml"]
    assert len(blocks) == len(re.findall(r"(?:code-block:: |```)toml\b", page(name))), "one isn't found"
    inline = [text for text in re.findall(r"(?<!`)``([a-z_.]+ = [\"'{\[][^`]*)``", page(name)) if "..." not in text]
    for text in (*blocks, *inline):
        tomllib.loads(text)


def test_files_of_toml_are_toml() -> None:
    files = list(DOCS.rglob("*.toml"))
    assert files
    for file in files:
        tomllib.loads(file.read_text(encoding="utf-8"))


def test_an_address_of_ipv6_is_shown_as_toml_takes_it() -> None:
    found = re.findall(r"""``(["'][^`"']*\\:[^`"']*["'])``""", page("docs/tls.rst"))
    assert found
    assert {tomllib.loads(f"listen = {text}")["listen"] for text in found} == {r"...:interface=\:\:1"}


# ---------------------------------------------------------------- the modules and the seed


def map_of_modules() -> list[set[str]]:
    """The rows of the table, each with its parts."""
    rows = next(list_tables(section("docs/architecture.rst", "The modules")))
    return [set(re.findall(r"``(\w+)``", row[0])) for row in rows]


def test_the_map_of_modules_tells_who_may_import_what() -> None:
    assert map_of_modules() == [TOOLS, VALUES, *ORDER]


def test_the_map_of_modules_has_every_part() -> None:
    parts = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set().union(*map_of_modules()) == parts - {"__init__"}


def test_every_paragraph_of_the_seed_that_asks_for_something_is_traced() -> None:
    rows = next(list_tables(section("docs/seed.rst", "The paragraphs")))
    told = {int(number) for row in rows for number in re.findall(r"\[(\d{4})\]", row[0])}
    assert told == {*range(9, 33), *range(39, 81)}


def test_every_claim_is_traced() -> None:
    rows = next(list_tables(section("docs/seed.rst", "The claims")))
    assert sorted(int(number) for row in rows for number in row[0].split(", ")) == list(range(1, 20))


def test_the_modules_that_the_trace_names_are_there() -> None:
    names = re.findall(r"``([a-z_/]+\.py)``", page("docs/seed.rst"))
    assert names
    assert [name for name in names if not (SOURCE / name).exists()] == []


# ---------------------------------------------------------------- the API reference


def test_the_fields_of_docstrings_are_those_that_pydoctor_renders() -> None:
    epytext = re.compile(r"""^\s*(?:r?\"{3})?@(?:raise|param|return)\b|\b[CL]\{[\w.]+\}""", re.M)
    assert [str(path) for path in SOURCE.rglob("*.py") if epytext.search(path.read_text(encoding="utf-8"))] == []
