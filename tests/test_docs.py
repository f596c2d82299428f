"""What the pages say is so: what they name is there, their tables are the code's."""

from __future__ import annotations

import json
import re
import tomllib
import unittest
from pathlib import Path
from typing import Any

import attrs
import pytest

from ctiex.call_control.settings import CallDataSettings, CallSettings, SupervisionSettings
from ctiex.config import model as config_model
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import load
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ICheckerPlugin, IJournalPlugin, IOrganizerPlugin, ISerialCarrierPlugin, ISignallingPlugin
from ctiex.limits import Limits
from ctiex.messages import Condition
from ctiex.monitoring.counters import Counters
from ctiex.plugins import plugins
from ctiex.processing.field_rules import RuleSettings
from ctiex.processing.states import TIMED_OUT_AS, TIMEOUT_OF, TRANSITIONS, Step
from ctiex.records import CallState
from ctiex.settings import NoSettings, structure
from ctiex.telephony.asterisk.settings import AsteriskSettings

from .pages import DOCS, SOURCE, block_with, code_blocks, csv_tables, list_tables, page, section
from .processes import ROOT
from .test_imports import ORDER, TOOLS, VALUES

# ---------------------------------------------------------------- what they name


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
    "``[calls]``": CallSettings,
    "``[call_data]``": CallDataSettings,
    "``[supervision]``": SupervisionSettings,
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
