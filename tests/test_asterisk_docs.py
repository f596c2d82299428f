"""What docs/asterisk.rst tells the owner of an Asterisk is so: each name in it is the code's, or a shipped file's."""

from __future__ import annotations

import io
import re
import shlex
import tomllib
from configparser import ConfigParser
from pathlib import Path

import attrs
import pytest
from twisted.python.usage import UsageError

from ctiex.app.cli import COMMANDS, Options
from ctiex.app.commands import dialplan, voice
from ctiex.carriers.sip_header import SERIAL_HEADER
from ctiex.carriers.user_to_user import USER_TO_USER, UserToUserSerialCarrier
from ctiex.config import model as config_model
from ctiex.config.carriers import build_carriers
from ctiex.config.model import Configuration
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import parse
from ctiex.interfaces import Signalled
from ctiex.monitoring.counters import Counters
from ctiex.telephony.asterisk import actions as asterisk_orders
from ctiex.telephony.asterisk import call_actions, call_orders
from ctiex.telephony.asterisk.ami_link import AmiAccount
from ctiex.telephony.asterisk.settings import AsteriskSettings

from .pages import DOCS, block_with, commands, list_tables, page, section

PAGE = "docs/asterisk.rst"
EXAMPLES = DOCS / "examples" / "asterisk"
FILES = {"1": "platform-1.conf", "2": "platform-2.conf", "calls": "calls.conf"}
DIALPLANS = {platform: dialplan.dialplan(platform) for platform in FILES}
OF_PLATFORM_1 = DIALPLANS["1"] + DIALPLANS["calls"]
EVERYTHING = "\n".join([page(PAGE), *(path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.iterdir()))])
MODULE = re.compile("(?:app|bridge|chan|func|res)_[a-z_]+")
"""A module of Asterisk."""
BESIDE_CONTEXTS = "ctiex-leg"
"""The name of an event."""
ASTERISKS_OWN = {
    "from_user", "direct_media", "rtp_timeout", "rtp_keepalive", "send_pai", "trust_id_outbound", "dtmf_mode",
    "timer_b", "fr_timer", "qualify_frequency",
}  # fmt: skip
"""Names of Asterisk and kamailio, which nothing of ours can vouch for."""


def contexts(text: str) -> set[str]:
    """The contexts of a dialplan."""
    return set(re.findall(r"^\[([^]]+)\]", text, re.M))


def without_comments(text: str) -> str:
    return re.sub(r"^\s*;.*\n", "", text, flags=re.M)


# ---------------------------------------------------------------- the dialplans


@pytest.mark.parametrize("platform", DIALPLANS)
def test_the_command_prints_the_shipped_dialplan(platform: str) -> None:
    options, stdout = dialplan.Options(), io.StringIO()
    options.parseOptions([platform])
    assert dialplan.run(options, stdout, io.StringIO()) == 0
    shipped = Path(__file__).parent.parent / "src" / "ctiex" / "telephony" / "dialplan" / FILES[platform]
    assert stdout.getvalue() == shipped.read_text(encoding="utf-8")


def test_the_dialplans_are_in_the_package() -> None:
    settings = ConfigParser()
    settings.read(DOCS.parent / "setup.cfg")
    assert settings["options.package_data"]["ctiex.telephony"] == "dialplan/*.conf"


@pytest.mark.parametrize("arguments", [[], ["3"], ["1", "2"]])
def test_there_are_two_platforms(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        dialplan.Options().parseOptions(arguments)


def test_the_contexts_that_are_named_are_there() -> None:
    known = set().union(*map(contexts, DIALPLANS.values()))
    named = set(re.findall(r"(?<![\w.-])ctiex-(?!1\b|tls\b)[a-z]+", EVERYTHING + "".join(DIALPLANS.values())))
    assert named
    assert named - {BESIDE_CONTEXTS} <= known


def test_call_control_moves_legs_into_contexts_that_are_there() -> None:
    used = {value for name, value in vars(call_actions).items() if name.isupper() and str(value).startswith("ctiex-")}
    assert len(used) > 9
    assert used <= contexts(DIALPLANS["calls"])


def test_the_driver_moves_calls_into_contexts_that_are_there() -> None:
    defaults = attrs.fields_dict(AsteriskSettings)
    assert {one.default for name, one in defaults.items() if name.endswith("_context")} <= contexts(OF_PLATFORM_1)


def test_the_dialplan_reads_no_variable_that_nobody_sets() -> None:
    told = "".join(
        Path(module.__file__).read_text(encoding="utf-8") for module in (asterisk_orders, call_actions, call_orders)
    )
    text = without_comments(OF_PLATFORM_1)
    read = set(re.findall(r"\$\{(CTIEX_\w+)", text))
    set_here = set(re.findall(r"Set\(_*(CTIEX_\w+)=", text))
    numbered = {f"CTIEX_HEADER_{number}{name}" for number in range(1, 5) for name in ("", "_NAME")}
    assert asterisk_orders.MOST_HEADERS == 4
    assert {name for name in read - set_here - numbered if f'"{name}"' not in told} == set()
    assert numbered <= read


def test_the_second_dialplan_gives_the_header_fields_to_whoever_reads_them() -> None:
    text = DIALPLANS["2"]
    for name in (USER_TO_USER, SERIAL_HEADER):
        assert f"${{PJSIP_HEADER(read,{name}" in text, name
    reader = page("src/ctiex/clients/voice.py")
    for name in re.findall(r"Set\((CTIEX_(?:UUI|HEADER))=.*PJSIP", text):
        assert f'"{name}"' in reader, name


def test_the_services_of_the_second_dialplan_are_there() -> None:
    named = re.findall(r"Gosub\(ctiex-service,s,1\((\w+)\)\)", EVERYTHING + DIALPLANS["2"])
    assert set(named) == set(voice.DEFAULT_PATHS)
    assert {f"``{path}``" for path in voice.DEFAULT_PATHS} <= set(re.findall(r"``\w+``", page(PAGE)))


# ---------------------------------------------------------------- the configuration


def exchange(tmp_path: Path, more: str = "") -> Configuration:
    """The exchange of the page."""
    secret = tmp_path / "manager.secret"
    secret.write_text("a long random word\n")
    text = (EXAMPLES / "exchange.toml").read_text(encoding="utf-8") + "\n" + more
    text = text.replace("/etc/ctiex/manager.secret", str(secret)).replace("/var/lib/ctiex", str(tmp_path))
    return parse(tomllib.loads(text), "exchange.toml")


def test_the_exchange_of_the_page_can_be_used(tmp_path: Path) -> None:
    configuration = exchange(tmp_path)
    assert list(wrong_plugins(configuration)) == []
    assert configuration.warnings == ()
    (service,) = configuration.services.values()
    extension = re.search(r"^exten => (\w+),1,Gosub\(ctiex-service", (EXAMPLES / "extensions-2.conf").read_text(), re.M)
    assert extension
    assert (service.signalling, service.access_code) == ("asterisk", extension[1])
    assert service.settings["ring"] <= service.signalling_timeout
    assert service.settings["longest"] >= 0


def test_the_manager_user_is_the_drivers(tmp_path: Path) -> None:
    text = (EXAMPLES / "manager.conf").read_text()
    assert contexts(text) == {exchange(tmp_path).signalling["asterisk"]["username"]}
    assert f"read = {attrs.fields_dict(AmiAccount)['events'].default}\n" in text
    assert "write = call\n" in text


def test_the_fallback_is_in_the_dialplan(tmp_path: Path) -> None:
    context, extension, priority = exchange(tmp_path).signalling["asterisk"]["fallback"].split(",")
    text = (EXAMPLES / "extensions-1.conf").read_text()
    assert context in contexts(text)
    assert f"exten => {extension},{priority}," in text


def test_the_carriers_of_the_page_are_built(tmp_path: Path) -> None:
    configuration = exchange(tmp_path, block_with(PAGE, "toml", "user-to-user"))
    assert list(wrong_plugins(configuration)) == []
    network = build_carriers(configuration.carrier).network
    assert network is not None
    sent = network.embed("13800138000", "2026112200017")
    assert set(sent.headers) == {"User-to-User", "X-Office-Call"}


def test_the_carriers_in_the_table_send_what_it_shows() -> None:
    rows = {row[0].strip("`"): row[1] for row in next(list_tables(section(PAGE, "The carriers of the serial")))}
    assert set(rows) == {"calling-number", "user-to-user", "sip-header"}
    sent = {kind: build_carriers(config_model.CarrierSettings(kind=kind)) for kind in rows}
    signalled: dict[str, Signalled] = {
        kind: (one.network or one.connection).embed("13800138000", "2026112200017") for kind, one in sent.items()
    }
    assert signalled["calling-number"].calling_number in rows["calling-number"]
    assert f"{SERIAL_HEADER}: {signalled['sip-header'].headers[SERIAL_HEADER]}" in rows["sip-header"]
    shown = rows["user-to-user"].split("``")[1]
    head, _, tail = shown.partition("...")
    value = f"{USER_TO_USER}: {signalled['user-to-user'].headers[USER_TO_USER]}"
    assert value.startswith(head)
    assert value.endswith(tail)


def test_a_serial_takes_as_many_octets_as_the_page_says() -> None:
    data = UserToUserSerialCarrier().embed("", "9" * 20).headers[USER_TO_USER].partition(";")[0]
    octets = len(bytes.fromhex(data)) - 1
    assert f"a serial takes {octets} of them" in page(PAGE)


def test_the_keys_that_are_named_are_those_of_the_configuration() -> None:
    models = [one for one in vars(config_model).values() if isinstance(one, type) and attrs.has(one)]
    known = {one.name for model in [*models, AsteriskSettings] for one in attrs.fields(model)} | {"secret_file"}
    named = {name for name in re.findall(r"``([a-z]+(?:_[a-z]+)+)\b", page(PAGE)) if not name.startswith("ctiex_")}
    assert named & known
    others = {name for name in named - known - ASTERISKS_OWN - {"calling_number"} if not MODULE.fullmatch(name)}
    assert others == set()


def test_the_counters_that_are_named_are_there() -> None:
    named = re.findall(r"``ctiex_(\w+)_total``", page(PAGE))
    assert named
    assert set(named) <= {one.name for one in attrs.fields(Counters)}


# ---------------------------------------------------------------- the commands


def test_the_commands_that_are_shown_are_understood() -> None:
    shown = [shlex.split(line.partition(" > ")[0]) for line in commands(PAGE)]
    ours = [line[1:] for line in shown if line[0] == "ctiex"]
    assert {line[0] for line in ours} == {"dialplan", "check-config", "agent", "voice", "trace"} <= set(COMMANDS)
    for line in ours:
        Options().parseOptions(line)


def test_the_files_that_are_named_are_the_shipped_ones() -> None:
    assert set(re.findall(r"platform-\d\.conf", EVERYTHING)) == {"platform-1.conf", "platform-2.conf"}
    for included in re.findall(r"(?:literalinclude:: )(\S+)", page(PAGE)):
        assert (DOCS / included).exists(), included
