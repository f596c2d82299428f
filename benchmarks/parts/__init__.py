"""What is measured: each module is one part, with ``measure(Settings) -> dict``."""
