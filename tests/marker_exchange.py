"""An exchange as a process of its own, all of whose words and files are looked at afterwards."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path
from subprocess import STDOUT

from ctiex.processing.digests import KEY_LABEL
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile

from .processes import TWISTD, Program, accepts, finished, free_port, surroundings
from .waiting import until

PLUGIN = '''
"""An organizer whose errors tell everything, and a look at what is alive in the process when it gets SIGUSR1."""
import gc, os, signal
from pathlib import Path
from twisted.plugin import IPlugin
from zope.interface import implementer
from ctiex.errors import FieldError
from attrs import frozen
from ctiex.interfaces import IOrganizer, IOrganizerPlugin
from ctiex.settings import Text

@implementer(IOrganizer)
class Telltale:
    secret = frozenset({"pin"})
    def __init__(self, settings):
        self.kind = {"value": ValueError, "field": FieldError}[settings.kind]
    def organize(self, fields):
        raise self.kind(f"can't organize {dict(fields.items())}")

@frozen
class TelltaleSettings:
    kind: Text

@implementer(IPlugin, IOrganizerPlugin)
class TelltalePlugin:
    name = "telltale"
    settings = TelltaleSettings
    def build(self, settings):
        return Telltale(settings)

telltale = TelltalePlugin()
FOLDER = Path(os.environ["CTIEX_TEST_FOLDER"])

def alive(wanted):
    """Whether each of these stands in a text or bytes that something still refers to."""
    gc.collect()
    seen, work, texts = set(), list(gc.get_objects()), []
    own = {id(one) for one in wanted}
    while work:
        for one in gc.get_referents(work.pop()):
            if id(one) in seen or id(one) in own:
                continue
            seen.add(id(one))
            if isinstance(one, str):
                one = one.encode(errors="replace")
            if isinstance(one, (bytes, bytearray)):
                texts.append(one)
            elif not gc.is_tracked(one):
                work.append(one)
    together = b" and beside it ".join(texts)
    return [one in together for one in wanted]

def look(*_):
    wanted = [bytes.fromhex(line) for line in (FOLDER / "wanted").read_text().split()]
    (FOLDER / "alive.new").write_text(" ".join(map(str, map(int, alive(wanted)))))
    (FOLDER / "alive.new").rename(FOLDER / "alive")

signal.signal(signal.SIGUSR1, look)
'''

CONFIGURATION = """
[exchange]
id = "7"
address = "ctiex.test:7301"
[links.agent]
listen = "tcp:{agent_port}:interface=127.0.0.1"
codec = "{codec}"
[links.ivr]
listen = "tcp:{service_port}:interface=127.0.0.1"
codec = "{codec}"
max_frame = 2048
[store]
kind = "sqlite"
path = "{folder}/calls.sqlite"
[metrics]
listen = "tcp:{metrics_port}:interface=127.0.0.1"
[audit]
file = "{folder}/audit.log"
[identities.desk]
role = "agent"
secret_hash = "{hashed}"
agents = ["*"]
[identities.ivr]
role = "service"
secret = '{clear}'
services = ["vault", "slow", "deaf", "telltale", "telltale-fields", "telltale-result"]
[services.vault]
access_code = "8001"
[services.vault.request]
keep = ["pin", "account", "key"]
rename = {{ pin = "code" }}
secret = ["pin", "account", "key"]
[services.vault.result]
rename = {{ token = "ticket" }}
secret = ["token", "score", "stamp"]
[services.slow]
access_code = "8002"
request = {{ keep = ["*"], secret = ["pin"] }}
[services.deaf]
access_code = "8003"
fetch_timeout = 0.5
request = {{ keep = ["*"], secret = ["pin"] }}
[services.telltale]
access_code = "8004"
request = {{ organizer = "telltale", kind = "value" }}
[services.telltale-fields]
access_code = "8005"
request = {{ organizer = "telltale", kind = "field" }}
[services.telltale-result]
access_code = "8006"
request = {{ keep = ["*"], secret = ["pin"] }}
result = {{ organizer = "telltale", kind = "value" }}
"""


class WatchedExchange:
    """``twistd -n ctiex`` on a durable store in a folder; it may be killed and started again."""

    def __init__(self, folder: Path, codec: str, logger: str, desk_secret: str, ivr_secret: str) -> None:
        self.folder, self.logger = folder, logger
        self.agent_port, self.service_port, self.metrics_port = free_port(), free_port(), free_port()
        self.config = folder / "exchange.toml"
        self.environment = surroundings(folder / "site", CTIEX_TEST_FOLDER=str(folder))
        self.config.write_text(
            CONFIGURATION.format(
                agent_port=self.agent_port,
                service_port=self.service_port,
                metrics_port=self.metrics_port,
                codec=codec,
                folder=folder,
                hashed=self.command("passwd", "--stdin", typed=desk_secret + "\n").split('"')[1],
                clear=ivr_secret,
            )
        )
        plugins = folder / "site" / "ctiex" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "telltale.py").write_text(PLUGIN)
        self.output = folder / "exchange.output"
        self.process: Program[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [*TWISTD, f"--logger={self.logger}", "ctiex", "--config", str(self.config)]
        with self.output.open("ab") as output:
            self.process = Program(command, cwd=self.folder, env=self.environment, stdout=output, stderr=output)
        ports = self.agent_port, self.service_port
        until(lambda: all(map(accepts, ports)), self.output.read_text, self.process)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.ends()
            self.process.end()
            self.process = None

    def command(self, *arguments: str, typed: str = "", **environment: str) -> str:
        """What ``ctiex`` says to these arguments, on both of its outputs."""
        run = finished(
            [sys.executable, "-c", "from ctiex.app.cli import main; main()", *arguments],
            cwd=self.folder, env={**self.environment, **environment}, input=typed.encode(), stderr=STDOUT,
        )  # fmt: skip
        return str(run.stdout.decode())

    def digest_key(self) -> bytes:
        """What the digests of requests and reports are made with; the exchange has ended."""
        path = self.folder / "calls.sqlite"
        with closing(SqliteFile(path, Seal(find_key(Path(f"{path}.key"), make=False)), read_only=True)) as file:
            return bytes.fromhex(file.read().metadata[KEY_LABEL])

    def alive(self, wanted: list[bytes]) -> list[bool]:
        """Whether each of these stands in anything that the running process still refers to."""
        assert self.process is not None
        answer = self.folder / "alive"
        answer.unlink(missing_ok=True)
        (self.folder / "wanted").write_text(" ".join(one.hex() for one in wanted))
        self.process.send_signal(signal.SIGUSR1)
        until(answer.exists, self.output.read_text, self.process)
        (self.folder / "wanted").unlink()
        return [bool(int(word)) for word in answer.read_text().split()]
