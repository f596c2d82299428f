"""Hostile input: mutated frames against a running exchange, and harnesses for a fuzzing engine.

``python -m fuzz.frames`` sends mutated frames to a process; ``fuzz.binary``, ``fuzz.json_codec``, ``fuzz.session``
and ``fuzz.configuration`` each have a ``TestOneInput`` for atheris. docs/hostile-input.rst says how they are run.
"""
