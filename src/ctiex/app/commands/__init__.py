"""The small commands of ``ctiex``: each module has its ``Options`` and a ``run`` that gives the exit code."""
