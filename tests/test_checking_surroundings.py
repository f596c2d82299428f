"""What surrounds a configuration that is checked: others' plugins, any terminal, the run directory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import ctiex.plugins
from ctiex.app.commands import check_config
from ctiex.app.tap import Options

from .checking_case import LINKS, CheckingCase

BROKEN = {
    "no_such_thing": "import nothing_of_this_name\n",
    "half": "def half(:\n",
    "leaves": "import sys\nsys.exit(3)\n",
}
TROUBLED = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from ctiex.interfaces import IOrganizerPlugin
from ctiex.settings import NoSettings

@implementer(IPlugin, IOrganizerPlugin)
class Troubled:
    name = "troubled"
    settings = NoSettings
    def build(self, settings):
        return 1 // 0

troubled = Troubled()
"""


class BrokenPluginTests(SynchronousTestCase):
    """Plugins of others that don't work."""

    @contextmanager
    def installed(self, **modules: str) -> Iterator[None]:
        """Plugin modules of somebody else's package, for a while."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        with patch.object(ctiex.plugins, "__path__", [*ctiex.plugins.__path__, str(folder)]):
            yield

    def run_check(self, text: str = "") -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        file = Path(self.mktemp())
        file.write_text(LINKS + text)
        options = check_config.Options()
        options.parseOptions([str(file)])
        stdout, stderr = io.StringIO(), io.StringIO()
        return check_config.run(options, stdout, stderr), stdout.getvalue(), stderr.getvalue()

    def test_a_module_that_can_not_be_imported_is_told_once_in_one_line(self) -> None:
        for name, text in BROKEN.items():
            with self.installed(**{name: text}):
                code, out, said = self.run_check()
            self.assertEqual((code, said), (0, ""))
            (line,) = (line for line in out.splitlines() if name in line)
            self.assertTrue(line.startswith(f"warning: the plugin module ctiex.plugins.{name} can't be used: "), line)
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_it_is_told_beside_the_plugin_that_is_missing_for_it(self) -> None:
        with self.installed(**BROKEN):
            code, _, said = self.run_check('[store]\nkind = "mine"\n')
        self.assertEqual(code, 1)
        self.assertIn('store.kind: found "mine", expected a plugin', said)
        for name in BROKEN:
            self.assertIn(f"the plugin module ctiex.plugins.{name} can't be used", said)

    def test_a_plugin_that_fails_is_told_by_its_key(self) -> None:
        with self.installed(troubled=TROUBLED):
            code, _, said = self.run_check('[services.a]\naccess_code = "1"\nrequest.organizer = "troubled"\n')
        self.assertEqual(code, 1)
        self.assertIn("services.a.request: the plugin fails: ZeroDivisionError", said)
        self.assertEqual(len(said.splitlines()), 1, said)


class TerminalTests(CheckingCase):
    """Words outside of what a terminal takes."""

    def test_the_runner_says_what_is_wrong_at_any_terminal(self) -> None:
        self.file.write_text(
            '[identities."\u00e9\u4e2d"]\nrole = "ag\u00e9nt\x1b[2J"\nsecret = "x"\n'.replace("\x1b", "\\u001b")
        )
        for encoding in ("ascii", "latin-1", "utf-8"):
            with patch("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding)):
                error = str(self.assertRaises(UsageError, Options().parseOptions, ["--config", str(self.file)]))
            self.assertIn("role: found", error.encode(encoding).decode(encoding))
            self.assertNotIn("\x1b", error)


class RunDirectoryTests(CheckingCase):
    """``twistd --rundir``."""

    def test_files_are_looked_for_where_the_process_goes(self) -> None:
        (self.folder / "elsewhere" / "logs").mkdir(parents=True)
        self.file.write_text(LINKS + '[audit]\nfile = "logs/audit.jsonl"\n')
        for folder, good in ((str(self.folder / "elsewhere"), True), (str(self.folder), False)):
            options = Options()
            options.parent = {"rundir": folder}
            relative = os.path.relpath(self.file)
            if good:
                options.parseOptions(["--config", relative])
            else:
                error = self.assertRaises(UsageError, options.parseOptions, ["--config", relative])
                self.assertIn("audit.file: logs/audit.jsonl can't be created", str(error))
