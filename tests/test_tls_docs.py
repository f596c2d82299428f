"""docs/tls.rst, done as it says: from nothing to a hand-over with certificates on both sides."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctiex.config.reading import parse
from ctiex.tls.contexts import _VERIFICATION
from ctiex.tls.handshake_errors import _REASONS

from .pages import Terminal, block_with, code_blocks, commands, environment, list_tables, section
from .processes import finished, free_port

PAGE = "docs/tls.rst"
_PROGRAMS = str(Path(sys.executable).parent)


class Reader:
    """Somebody who types what the page says, on ports that are free."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"7300": str(free_port()), "7301": str(free_port())}
        self._terminals: list[Terminal] = []

    def ported(self, text: str) -> str:
        """The text with ports that are free."""
        return re.sub(r"\b730[01]\b", lambda port: self.ports[port[0]], text)

    def words(self, command: str) -> list[str]:
        """A command of the page."""
        (said,) = [line for line in commands(PAGE) if line.startswith(command)]
        return shlex.split(self.ported(said).replace(".venv/bin", _PROGRAMS))

    def types(self, command: str, **options: object) -> str:
        """Run it to its end; what it has said."""
        done = finished(self.words(command), cwd=self.folder, env=environment(), text=True, **options)
        return str(done.stdout + done.stderr)

    def opens(self, command: str, what_it_says: str) -> Terminal:
        """Run it in a terminal of its own until it has said something."""
        terminal = Terminal(self.words(command), self.folder, len(self._terminals))
        self._terminals.append(terminal)
        terminal.sees(what_it_says)
        return terminal

    def leaves(self) -> None:
        """Close the terminals."""
        for terminal in reversed(self._terminals):
            terminal.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    someone = Reader(tmp_path)
    yield someone
    someone.leaves()


@pytest.mark.gate
def test_the_page_leads_from_nothing_to_a_hand_over_with_certificates(reader: Reader) -> None:
    for command in [line for line in commands(PAGE) if line.startswith(("openssl req", "openssl x509", "mkdir", "cp"))]:
        finished(shlex.split(command), check=True, cwd=reader.folder)
    configuration = reader.folder / "exchange.toml"
    configuration.write_text(reader.ported(block_with(PAGE, "toml", "[identities.ivr]")))
    (reader.folder / "desk.secret").write_text("an example\n")

    said = reader.types(".venv/bin/ctiex check-config")
    assert said.endswith("configuration: ok\n"), said
    assert "warning" not in said

    exchange = reader.opens(".venv/bin/twistd", "is ready")
    service = reader.opens(".venv/bin/ctiex service", "is ready under access code 7001")
    agent = reader.opens(".venv/bin/ctiex agent", "is logged in")
    (typed,) = re.findall(r"``(connect [^`]*)``", " ".join((Path(__file__).parent.parent / PAGE).read_text().split()))
    agent.type(typed)
    service.sees("call .* from 02012345678")
    agent.sees("event .*completed")

    reader.types("openssl s_client", input="")
    refused = r"TLS with 127\.0\.0\.1:\d+ refused: the client sent no certificate\n"
    assert "Traceback" not in exchange.sees(refused)
    assert re.fullmatch(refused, block_with(PAGE, "text", "refused"))


def test_what_the_page_says_of_dialling_can_be_configured() -> None:
    dialled = tomllib.loads(block_with(PAGE, "toml", 'signalling = "dial"'))
    assert parse({**dialled}).services["number-broadcast"].signalling == "dial"
    assert len([text for language, text in code_blocks(PAGE) if language == "toml"]) == 2


def test_the_reasons_on_the_page_are_those_of_the_log() -> None:
    (rows,) = list_tables(section(PAGE, "What the log says about refused clients"))
    found = {f"the client's certificate {words}" for words in _VERIFICATION.values()}
    found |= {words.format(peer="the client") for _, words in _REASONS}
    assert {reason.strip("`") for reason, _ in rows} <= found
