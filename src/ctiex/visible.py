"""Text of others as a terminal, a log or a file may show it: nothing in it that does anything but be seen.

A name, a number or a field comes from anybody. Written out as it is, it could move a cursor, set a title, turn the
direction of the text around, or end the line and begin another that looks like one of ours.
"""

from __future__ import annotations

from unicodedata import category

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, encoding: str | None = None) -> str:
    r"""The text in one line, with an escape such as ``\u001b`` for whatever isn't simply seen.

    That is control characters (C0, DEL, C1), line and paragraph separators, marks of direction and other formatting,
    lone surrogates, and what Unicode doesn't assign. The escapes are JSON's, so that a line of JSON stays one.

    :param encoding: what the text is written in: characters that it doesn't have are escaped as well.
    """
    if text.isprintable() and (encoding is None or _has(encoding, text)):
        return text
    return "".join(character if _is_seen(character, encoding) else _escaped(character) for character in text)


def _is_seen(character: str, encoding: str | None) -> bool:
    plain = character.isprintable() or category(character) == "Zs"
    return plain and (encoding is None or _has(encoding, character))


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return _SHORT.get(character) or "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
