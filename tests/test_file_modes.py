"""Who else may get at a file of ours: one rule for stores, keys, logs and sockets."""

from __future__ import annotations

import socket
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ctiex.file_modes import warn_of_wide_mode, wide_mode

OTHERS, GROUP = "every user of this machine", "its group"


class WideModeTests(SynchronousTestCase):
    """Modes, and who they let in."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "file"

    def test_every_mode_of_a_file(self) -> None:
        self.file.touch()
        for mode, who in (
            (0o600, None), (0o400, None), (0o640, None), (0o440, None), (0o700, None),
            (0o604, OTHERS), (0o602, OTHERS), (0o601, OTHERS), (0o666, OTHERS), (0o644, OTHERS),
            (0o660, GROUP), (0o620, GROUP),
        ):  # fmt: skip
            self.file.chmod(mode)
            self.assertEqual(wide_mode(self.file), who, oct(mode))

    def test_a_group_may_connect_to_a_socket_and_others_may_not(self) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(str(self.file))
            for mode, who in ((0o600, None), (0o660, None), (0o666, OTHERS), (0o777, OTHERS)):
                self.file.chmod(mode)
                self.assertEqual(wide_mode(self.file), who, oct(mode))

    def test_a_device_is_everybody_s(self) -> None:
        self.assertIsNone(wide_mode("/dev/null"))

    def test_a_file_that_isn_t_there_is_for_others_to_tell(self) -> None:
        with capturedLogs() as events:
            warn_of_wide_mode(self.file)
        self.assertEqual((wide_mode(self.file), events), (None, []))
