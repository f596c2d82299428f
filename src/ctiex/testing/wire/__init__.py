"""What the documents of the wire format are made of: meanings, who sends what, and test vectors.

:mod:`ctiex.testing.layouts_json`, :mod:`ctiex.testing.wire_page`, :mod:`ctiex.testing.kaitai` and
:mod:`ctiex.testing.vectors` write the files.
"""
