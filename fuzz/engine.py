"""Runs a harness under atheris: ``python -m fuzz.engine binary -max_total_time=60``.

Further arguments are libFuzzer's. What it finds of use goes to ``.cache/fuzz/NAME``, what breaks a promise to
``.cache/fuzz/crash-NAME-*``, which ``python -m fuzz.engine NAME FILE`` runs again.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HARNESSES = ("binary", "json_codec", "session", "configuration")
_ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> None:
    """Fuzz until told to stop.

    :raise SystemExit: there is no such harness, or no atheris.
    """
    if not arguments or arguments[0] not in HARNESSES:
        raise SystemExit(f"a harness is one of {', '.join(HARNESSES)}")
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        raise SystemExit("needs atheris: .venv/bin/pip install -e .[fuzz]") from None
    name, more = arguments[0], arguments[1:]
    with atheris.instrument_imports(include=["ctiex"]):
        for module in ("ctiex.codecs.json", "ctiex.links.session", "ctiex.config.reading"):
            importlib.import_module(module)
    harness = importlib.import_module(f"fuzz.{name}")
    found = _ROOT / ".cache" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    places = [] if any(not word.startswith("-") for word in more) else [str(found), str(_ROOT / "fuzz/corpus" / name)]
    prefix = f"-artifact_prefix={found.parent}/crash-{name}-"
    atheris.Setup([sys.argv[0], prefix, *more, *places], harness.TestOneInput)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
