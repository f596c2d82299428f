"""Run folders: the templates filled in, clean for each run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from .peers import Root

_EMPTY = (
    "acl", "cdr", "cel", "ccss", "confbridge", "features", "udptl", "stasis", "indications", "dnsmgr", "users",
    "pjproject", "pjsip_notify",
)  # fmt: skip
TEMPLATES = Path(__file__).parent / "templates"
MUSIC = 650
"""The tone of the music on hold, in Hz."""
SAMPLE_RATE = 8_000


def filled(template: str, values: Mapping[str, object]) -> str:
    """A template with ``@NAME@`` replaced by each value.

    :raise KeyError: it asks for a value that isn't there.
    """
    return re.sub(r"@([A-Z][A-Z_0-9]*)@", lambda found: str(values[found[1]]), (TEMPLATES / template).read_text())


def write_folder(kind: str, folder: Path, values: Mapping[str, object]) -> None:
    """Write every template of one kind into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for template in sorted((TEMPLATES / kind).iterdir()):
        (folder / template.name).write_text(filled(f"{kind}/{template.name}", values))


def asterisk_folder(folder: Path, root: Root, kind: str, values: Mapping[str, object]) -> None:
    """A folder that an Asterisk runs in: its configuration, the prompts of its root, music of one tone."""
    modules = next((root.folder / "usr/lib").glob("**/asterisk/modules"))
    everything = {"FOLDER": folder, "ROOT": root.folder, "MODULES": modules, **values}
    for name in ("lib", "spool", "run", "log", "data/sounds", "data/moh"):
        (folder / name).mkdir(parents=True)
    for name in ("both", kind):
        write_folder(name, folder / "etc", everything)
    for name in _EMPTY:
        (folder / "etc" / f"{name}.conf").write_text("")
    shared = root.folder / "usr/share/asterisk"
    (folder / "data/sounds/en").symlink_to(shared / "sounds/en_US_f_Allison")
    (folder / "data/documentation").symlink_to(shared / "documentation")
    (folder / "data/moh/tone.ulaw").write_bytes(tone(MUSIC, 2.0))


def tone(frequency: int, seconds: float) -> bytes:
    """A tone in mu-law, 8,000 samples a second."""
    step = 2 * math.pi * frequency / SAMPLE_RATE
    return bytes(mu_law(int(8_000 * math.sin(step * number))) for number in range(int(SAMPLE_RATE * seconds)))


def mu_law(sample: int) -> int:
    """A linear sample of 16 bits as one byte (ITU-T G.711)."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32_635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | (size >> (exponent + 3)) & 0x0F) & 0xFF


def linear(code: int) -> int:
    """A byte of mu-law as a linear sample."""
    code = ~code & 0xFF
    size = ((((code & 0x0F) << 3) + 132) << (code >> 4 & 0x07)) - 132
    return -size if code & 0x80 else size
