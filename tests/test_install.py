"""What an install gives: the plugin of twistd and twist, and the commands, with and without each extra.

The environments hold what the package requires, and nothing else that is installed here: copies in most tests; in those
marked ``long`` pip has them from the index, as a user would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ctiex.app.cli import COMMANDS
from ctiex.extras import EXTRAS

from .environments import Environment, build_wheel, copy_checkout, required
from .test_packaging import canonical

pytestmark = pytest.mark.gate
READS_AN_ENDPOINT = """
from twisted.internet.endpoints import serverFromString
print(type(serverFromString(None, "ctiex-tls:0:certificate=exchange.pem")).__name__)
"""
NEEDING = {
    '[store]\nkind = "sqlite"\npath = "calls.sqlite"\n': "durable",
    '[metrics]\nlisten = "tcp:0:interface=127.0.0.1"\n': "metrics",
    '[links.agent]\nlisten = "ctiex-tls:0:interface=127.0.0.1:certificate=a.pem"\n': "tls",
    '[links.ivr]\nlisten = "ssl:0:interface=127.0.0.1:privateKey=a.pem"\n': "tls",
    '[metrics]\nlisten = "ctiex-tls:0:interface=127.0.0.1:certificate=a.pem"\n': "tls",
    '[services.a]\naccess_code = "1"\nsignalling = "dial"\naddress = "tls:localhost:7400"\n': "tls",
    '[services.a]\naccess_code = "1"\nsignalling = "asterisk"\n[signalling.asterisk]\n'
    'endpoint = "tls:localhost:5039"\nusername = "a"\nsecret = "b"\ndial = "PJSIP/1@b"\n': "tls",
}
"""Configurations, each with the extra that it needs."""
COMMANDS_NEEDING = {
    ("simulate", "--calls", "5"): "durable",
    ("store", "check", "calls.sqlite"): "durable",
    ("agent", "--exchange", "tls:localhost:7300"): "tls",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(copy_checkout(folder / "checkout"), folder)


@pytest.fixture(scope="module")
def minimal(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What ``pip install ctiex`` brings."""
    return copied(wheel, tmp_path_factory.mktemp("minimal") / "environment")


def copied(wheel: Path, place: Path, *extras: str) -> Environment:
    """An environment with the wheel and what it requires."""
    environment = Environment.make(place)
    environment.take(*required(wheel, *extras))
    environment.install(str(wheel))
    return environment


def offers_ctiex(environment: Environment, outside: Path) -> None:
    """The plugin and the commands are there, outside the checkout."""
    for runner in ("twistd", "twist"):
        assert " ctiex " in environment.says(outside, runner, "--help")
        assert "--agent-listen" in environment.says(outside, runner, "ctiex", "--help")
    assert environment.says(outside, "python", "-c", READS_AN_ENDPOINT) == "TlsServerEndpoint\n"
    assert "configuration: ok" in environment.says(outside, "ctiex", "check-config")
    assert "demo: 3 of 3 hand-offs completed" in environment.says(outside, "ctiex", "demo")


def misses_but(environment: Environment, outside: Path, *extras: str) -> None:
    """Nothing can be imported that comes with another extra, nor the tools of this environment."""
    modules = {module for extra in EXTRAS.keys() - set(extras) for module in EXTRAS[extra]} | {"pytest", "setuptools"}
    modules -= {module for extra in extras for module in BROUGHT_ALONG[extra]}
    looks = f"from importlib.util import find_spec; print([m for m in {sorted(modules)} if find_spec(m)])"
    assert environment.says(outside, "python", "-c", looks) == "[]\n"


BROUGHT_ALONG: Mapping[str, tuple[str, ...]] = {"durable": (), "metrics": (), "testing": (), "tls": ("cryptography",)}


# ---------------------------------------------------------------- without any extra


def test_an_install_without_extras_offers_the_plugin_and_every_command(minimal: Environment, tmp_path: Path) -> None:
    misses_but(minimal, tmp_path)
    offers_ctiex(minimal, tmp_path)
    said = one_after_the_other(minimal, tmp_path, [[name, "--help"] for name in COMMANDS])
    for name, (code, helped) in zip(COMMANDS, said, strict=True):
        assert code == 0
        assert f"Usage: ctiex {name}" in helped


IN_ONE_PROCESS = """
import contextlib, io, json, sys
from ctiex.app.cli import main
for arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
            if isinstance(code, str):  # as Python itself does
                said.write(code + chr(10))
                code = 1
    print(json.dumps([code or 0, said.getvalue()]))
"""


def one_after_the_other(environment: Environment, outside: Path, commands: list[list[str]]) -> list[tuple[int, str]]:
    """The exit status of each command line of ``ctiex``, and what it says."""
    said = environment.says(outside, "python", "-c", IN_ONE_PROCESS, json.dumps(commands))
    return [tuple(json.loads(line)) for line in said.splitlines()]


def test_a_configuration_that_needs_an_extra_names_it(minimal: Environment, tmp_path: Path) -> None:
    for number, configuration in enumerate(NEEDING):
        (tmp_path / f"{number}.toml").write_text(configuration)
    checks = [["check-config", f"{number}.toml"] for number in range(len(NEEDING))]
    for extra, (code, said) in zip(NEEDING.values(), one_after_the_other(minimal, tmp_path, checks), strict=True):
        assert code == 1, said
        assert f"pip install 'ctiex[{extra}]'" in said
        assert "Traceback" not in said


@pytest.mark.parametrize("extra", sorted(set(NEEDING.values())))
def test_so_does_a_start_before_anything_is_done(extra: str, minimal: Environment, tmp_path: Path) -> None:
    file = tmp_path / "exchange.toml"
    file.write_text(next(configuration for configuration in NEEDING if NEEDING[configuration] == extra))
    done = minimal.run(tmp_path, "twistd", "-n", "ctiex", "--config", str(file))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert f"pip install 'ctiex[{extra}]'" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("command", "extra"), COMMANDS_NEEDING.items(), ids=[words[0] for words in COMMANDS_NEEDING])
def test_a_command_that_needs_an_extra_names_it(
    command: tuple[str, ...], extra: str, minimal: Environment, tmp_path: Path
) -> None:
    done = minimal.run(tmp_path, "ctiex", *command)
    assert done.returncode in (1, 2)
    assert f"pip install 'ctiex[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- with one extra


def uses_durable(environment: Environment, outside: Path) -> None:
    """A store in a file is used, and looked at."""
    assert "broken: 0" in environment.says(outside, "ctiex", "simulate", "--calls", "5")
    (outside / "exchange.toml").write_text('[store]\nkind = "sqlite"\npath = "calls.sqlite"\n')
    assert "configuration: ok" in environment.says(outside, "ctiex", "check-config", "exchange.toml")


def uses_metrics(environment: Environment, outside: Path) -> None:
    """A port for metrics is taken."""
    (outside / "exchange.toml").write_text('[metrics]\nlisten = "tcp:0:interface=127.0.0.1"\n')
    assert "configuration: ok" in environment.says(outside, "ctiex", "check-config", "exchange.toml")
    environment.says(outside, "python", "-c", "import ctiex.app.metrics, prometheus_client")


def uses_testing(environment: Environment, outside: Path) -> None:
    """Every contract can be imported, and what it is made of."""
    for module in ("codec", "carrier", "checker", "organizer", "signalling", "store"):
        environment.says(outside, "python", "-c", f"import ctiex.testing.{module}_contract, ctiex.testing.strategies")


def uses_tls(environment: Environment, outside: Path) -> None:
    """Whatever makes handshakes can be imported, and files are looked at."""
    environment.says(outside, "python", "-c", "import ctiex.tls.contexts")
    (outside / "exchange.toml").write_text(
        '[links.agent]\nlisten = "ctiex-tls:0:interface=127.0.0.1:certificate=a.pem"\n'
    )
    done = environment.run(outside, "ctiex", "check-config", "exchange.toml")
    assert "a.pem: can't be read: No such file or directory" in done.stderr


USES: Mapping[str, Callable[[Environment, Path], None]] = {
    "durable": uses_durable,
    "metrics": uses_metrics,
    "testing": uses_testing,
    "tls": uses_tls,
}


def test_every_extra_is_tried() -> None:
    assert USES.keys() == EXTRAS.keys()


@pytest.mark.long
@pytest.mark.parametrize("extra", USES)
def test_each_extra_alone_is_all_that_its_use_needs(extra: str, wheel: Path, tmp_path: Path) -> None:
    environment = copied(wheel, tmp_path / "environment", extra)
    misses_but(environment, tmp_path, extra)
    USES[extra](environment, tmp_path)


# ---------------------------------------------------------------- from a checkout, and from the index


def test_an_editable_install_offers_the_plugin_and_the_commands(wheel: Path, tmp_path: Path) -> None:
    environment = Environment.make(tmp_path / "environment")
    environment.take(*required(wheel), "setuptools")
    environment.install("--no-build-isolation", "--editable", str(copy_checkout(tmp_path / "checkout")))
    offers_ctiex(environment, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", ["", *USES])
def test_pip_brings_all_that_is_needed_and_no_more(extra: str, wheel: Path, tmp_path: Path) -> None:
    environment = Environment.make(tmp_path / "environment")
    environment.install_from_the_index(f"{wheel}[{extra}]" if extra else str(wheel))
    known = {canonical(path.name.split("-")[0]) for path in environment.packages.glob("*.dist-info")}
    extras = (extra,) if extra else ()
    assert known == {canonical(name) for name in required(wheel, *extras)} | {"ctiex"}
    offers_ctiex(environment, tmp_path)
    if extra:
        USES[extra](environment, tmp_path)
