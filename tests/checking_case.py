"""Configurations in a folder of their own, with what they name."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.python.usage import UsageError
from twisted.trial.unittest import TestCase

from ctiex.app.commands import check_config
from ctiex.app.exchange import Exchange
from ctiex.app.tap import Options
from ctiex.config.reading import examine, read_file
from ctiex.errors import CtiexError

from .certificates import Authority

AUTHORITY = Authority("root")
GOOD = AUTHORITY.sign_server()
LINKS = """
[links.agent]
listen = "tcp:0:interface=127.0.0.1"
[links.ivr]
listen = "tcp:0:interface=127.0.0.1"
"""
STORE = '[store]\nkind = "sqlite"\n'
TLS = '[links.agent]\nlisten = "ctiex-tls:0:interface=127.0.0.1:certificate={folder}/%s.pem:key={folder}/%s.key"\n'


class CheckingCase(TestCase):
    """A folder with what configurations name."""

    def setUp(self) -> None:
        """Make the files."""
        temporary = TemporaryDirectory()  # with a short name: that of a socket has few bytes
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        (self.folder / "sub").mkdir()
        (self.folder / "file").write_text("something else that is long enough")
        (self.folder / "some.sqlite").write_bytes(b"SQLite format 3\0" + bytes(84))
        GOOD.save(self.folder, "exchange")
        AUTHORITY.sign_server().save(self.folder, "other")
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        self.file = self.folder / "exchange.toml"

    def filled(self, text: str) -> str:
        """A text with the names of these files."""
        return text.replace("{folder}", str(self.folder)).replace("{port}", str(self.port))

    def checked(self, text: str) -> tuple[int, str, str]:
        """What ``ctiex check-config`` says of a configuration: exit code, standard output and standard error."""
        self.file.write_text(self.filled(text))
        options = check_config.Options()
        options.parseOptions([str(self.file)])
        stdout, stderr = io.StringIO(), io.StringIO()
        return check_config.run(options, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    def told_by_the_runner(self) -> list[str]:
        """What ``twistd ctiex`` says before it starts anything."""
        try:
            Options().parseOptions(["--config", str(self.file)])
        except UsageError as error:
            return str(error).splitlines()[1:]
        return []

    async def started(self) -> bool:
        """Whether an exchange starts with what is good of it, as it is."""
        configuration, errors = examine(read_file(str(self.file)), str(self.file))
        if errors or configuration is None:
            return False
        try:
            exchange = Exchange(configuration, reactor)
        except CtiexError:
            return False
        try:
            exchange.startService()
            await exchange.started()
        except (CannotListenError, CtiexError):
            return False
        finally:
            await exchange.stopService()
        return True
