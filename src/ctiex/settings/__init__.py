"""Settings are declared once: a frozen class for each table of the configuration, its types with their checks.

The exchange's own tables and those of plugins are read alike: `structure` makes an instance of a table, or tells
everything that is wrong with it. A plugin names its class as ``settings``, and is built with an instance::

    @frozen(kw_only=True)
    class HouseSettings:
        address: ShortText
        tries: Count = 3
"""

from ctiex.settings.checks import Check, Count, FileName, NoSettings, Seconds, ShortText, Text
from ctiex.settings.structuring import structure

__all__ = ["Check", "Count", "FileName", "NoSettings", "Seconds", "ShortText", "Text", "structure"]
