"""Finds the document inside a prompt, whatever fence stands around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"<([A-Za-z][\w.:-]*)(?:\s[^<>]*)?>")
_NONCE = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]{6,}")
_LABEL = re.compile(r"\s*(?:message|text|document|input|e-?mail)\s*:\s*\n", re.IGNORECASE)
_TICKS = re.compile(r"^(```+|~~~+|\"\"\")[\w-]*\n(.*?)\n\1", re.DOTALL | re.MULTILINE)
_MOST_TAGS = 40


def find_document(turns: Sequence[tuple[str, str]], pattern: re.Pattern[str] | None = None) -> str:
    """The text that the prompt asks about, without the fence.

    Looks through the user messages from the last to the first for, in this order: the first group
    of `pattern`, and nothing else if there is one; what follows an opening line such as
    `Message:`; the last element `<tag ...>...</tag>`; the longest stretch between two lines that
    carry the same nonce; a block between triple quotes. Without any of them it is the first user
    message as a whole.
    """
    users = [text for role, text in turns if role == "user"]
    for text in reversed(users):
        if pattern is not None:
            found = pattern.search(text)
            if found is not None:
                return found.group(1).strip()
            continue
        label = _LABEL.match(text)
        if label is not None:
            return text[label.end() :].strip()
        inside = _between_tags(text) or _between_nonces(text) or _between_ticks(text)
        if inside is not None:
            return inside.strip()
    return users[0].strip() if users else ""


def _between_tags(text: str) -> str | None:
    found, at = None, 0
    for _ in range(_MOST_TAGS):
        tag = _TAG.search(text, at)
        if tag is None:
            break
        end = text.find(f"</{tag.group(1)}", tag.end())
        if end == -1:
            at = tag.end()
            continue
        found = text[tag.end() : end]
        at = end + 1
    return found


def _between_nonces(text: str) -> str | None:
    lines = text.split("\n")
    seen: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for index, line in enumerate(lines):
        if len(line) > 200:
            continue
        for nonce in _NONCE.findall(line):
            start = seen.get(nonce)
            seen[nonce] = index
            if start is not None and index - start > 1:
                best = max(best or (0, 0), (index - start, start))
    if best is None:
        return None
    length, start = best
    return "\n".join(lines[start + 1 : start + length])


def _between_ticks(text: str) -> str | None:
    blocks = _TICKS.findall(text)
    return blocks[-1][1] if blocks else None
