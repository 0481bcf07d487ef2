"""Finds the document inside a prompt, and in the document a value for a field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from fake_provider.schemas import Node

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


_WORD_NUMBERS = {
    **{
        word: number
        for number, word in enumerate(
            [
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
            ],
            start=1,
        )
    },
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "dozen": 12,
    "hundred": 100,
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = re.compile(r"(?<![\w#/:.,+-])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?![\d/:-]|\.\d|\w*-\d)")
_WORD_NUMBER = re.compile(rf"\b({'|'.join(_WORD_NUMBERS)})\b", re.IGNORECASE)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_LONG_DATE = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)? ({'|'.join(_MONTHS)})[a-z]*\.?,? (\d{{4}})\b", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_PHONE = re.compile(r"\+?\d[\d ()/-]{6,}\d")
_PERSON_WORDS = ("customer", "client", "buyer", "sender", "person", "contact")
_NAME = r"([A-Z][\w'\u2019-]+(?:[ ][A-Z][\w'\u2019-]+){0,2})"
_PERSON = (
    re.compile(rf"(?:[Cc]ustomer|[Nn]ame|[Ff]rom|[Bb]uyer|[Cc]lient)\s*[:=-]\s*{_NAME}"),
    re.compile(rf"(?:[Mm]y name is|I am|I'm|[Tt]his is|here is|it's)\s+{_NAME}"),
    re.compile(
        rf"(?i:regards|thanks|thank you|cheers|best|sincerely|yours)[,.!]?\s*\n?\s*{_NAME}\s*$",
        re.MULTILINE,
    ),
    re.compile(rf"(?:^|\n)\s*(?:[-\u2013\u2014]\s*){_NAME}\s*$", re.MULTILINE),
    re.compile(r"(?<=[a-z,] )([A-Z][\w'\u2019-]+ [A-Z][\w'\u2019-]+)"),
    re.compile(r"\b([A-Z][a-z]+ [A-Z][a-z]+)\b"),
)
_PRODUCT_WORDS = ("product", "item", "article", "goods", "ordered")
_PLAIN_WORD = r"[^\W\d_][\w'\u2019-]*"
_STOP_WORDS = "for|to|and|please|by|from|in|on|at|with|before|until|as"
_PRODUCT = (
    re.compile(r"(?:[Pp]roduct|[Ii]tem|[Aa]rticle)\s*[:=]\s*([^\n,;.]+)"),
    re.compile(
        rf"(?:\d+|\b(?:{'|'.join(_WORD_NUMBERS)})\b)\s*(?:x|\u00d7|pcs|pieces|units)?\.?\s+"
        r"(?:of\s+)?(?:the\s+|your\s+)?"
        rf"({_PLAIN_WORD}(?:[ ](?!(?:{_STOP_WORDS})\b){_PLAIN_WORD}){{0,2}})"
    ),
)


class Finding(msgspec.Struct, frozen=True):
    """A value and the words of the document that it was read from."""

    quote: str
    value: Any


def find(name: str, node: Node, document: str) -> Finding | None:
    """What `document` says about the field `name`; None when the rules see nothing.

    Args:
        name: the field's name; with its description it tells persons, products, dates and
            e-mail addresses apart.
        node: the field's resolved schema (`type`, `enum`, `pattern`, bounds).
        document: the text to read.
    """
    if "enum" in node:
        return _option(node["enum"], document)
    match node["type"]:
        case "integer" | "number":
            return _number(node, document)
        case "boolean" | "null" | "object" | "array":
            return None
    return _text(f"{name} {node.get('description', '')}".lower(), name, node, document)


def _option(options: list[Any], document: str) -> Finding | None:
    for option in sorted((o for o in options if isinstance(o, str)), key=len, reverse=True):
        words = re.escape(option).replace("_", "[ _-]")
        found = re.search(rf"(?<!\w){words}(?!\w)", document, re.IGNORECASE)
        if found is not None:
            return Finding(found.group(), option)
    return None


def _number(node: Node, document: str) -> Finding | None:
    whole = node["type"] == "integer"
    low, high = node.get("minimum", float("-inf")), node.get("maximum", float("inf"))
    for found in _NUMBER.finditer(document):
        digits = found.group(1).replace(",", "")
        if whole and found.group(2):
            continue
        value = int(digits) if whole else float(f"{digits}.{found.group(2) or 0}")
        if low <= value <= high:
            return Finding(found.group(), value)
    for found in _WORD_NUMBER.finditer(document):
        value = _WORD_NUMBERS[found.group().lower()]
        if low <= value <= high:
            return Finding(found.group(), value if whole else float(value))
    return None


def _text(hints: str, name: str, node: Node, document: str) -> Finding | None:
    if "pattern" in node:
        return _first([_compiled(node["pattern"].removeprefix("^").removesuffix("$"))], document)
    if node.get("format") in ("date", "date-time") or "date" in hints:
        return _date(document, node.get("format"))
    if "mail" in hints:
        return _first([_EMAIL], document)
    if "phone" in hints or "telephone" in hints:
        return _first([_PHONE], document)
    label = re.escape(name).replace("_", "[ _-]?")
    labelled = _first([_compiled(rf"(?i:\b{label})\s*[:=]\s*([^\n,;]+)")], document)
    if labelled is not None:
        return labelled
    # The name outweighs the description, which may mention the other fields too.
    for words, patterns in ((_PRODUCT_WORDS, _PRODUCT), (_PERSON_WORDS, _PERSON)):
        if any(word in name.lower() for word in words):
            return _first(patterns, document)
    for words, patterns in ((_PRODUCT_WORDS, _PRODUCT), (_PERSON_WORDS, _PERSON)):
        if any(word in hints for word in words):
            return _first(patterns, document)
    opening = re.match(r"\s*(\S+(?:[ \t]+\S+){0,3})", document)
    return Finding(opening.group(1), opening.group(1)) if opening else None


def _date(document: str, kind: str | None) -> Finding | None:
    ending = "T00:00:00Z" if kind == "date-time" else ""
    iso = _ISO_DATE.search(document)
    if iso is not None:
        return Finding(iso.group(), iso.group() + ending)
    long = _LONG_DATE.search(document)
    if long is None:
        return None
    month = _MONTHS.index(long.group(2).lower()) + 1
    return Finding(long.group(), f"{long.group(3)}-{month:02}-{int(long.group(1)):02}{ending}")


def _first(patterns: Any, document: str) -> Finding | None:
    for pattern in patterns:
        found = pattern.search(document)
        if found is not None:
            text = found.group(found.lastindex or 0).strip()
            if text:
                return Finding(text, text)
    return None


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)  # `re` keeps the last 512 patterns itself


def locate(value: Any, document: str) -> str | None:
    """The words of `document` that say `value`; None when they are not there."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        text = f"{value:g}" if isinstance(value, float) else str(value)
        variants = [re.escape(text), re.escape(f"{value:,}")]
        variants += [word for word, number in _WORD_NUMBERS.items() if number == value]
        pattern = rf"(?<![\w.,])(?:{'|'.join(variants)})(?![\w]|[.,]\d)"
        found = re.search(pattern, document, re.IGNORECASE)
        return found.group() if found else None
    words = r"\s+".join(re.escape(word) for word in str(value).split())
    found = re.search(words, document, re.IGNORECASE) if words else None
    return found.group() if found else None


def clipped(value: Any, node: Node) -> Any:
    """`value`, no longer than the schema allows."""
    if isinstance(value, str) and "maxLength" in node and "enum" not in node:
        return value[: int(node["maxLength"])]
    return value


def fallback(node: Node, document: str) -> Any:
    """A value of the right type for a field that may not be null and was not found."""
    if node.get("enum"):
        return node["enum"][0]
    plain: dict[str, Any] = {"boolean": False, "array": [], "object": {}, "null": None}
    match node["type"]:
        case "integer":
            return int(node.get("minimum", 0))
        case "number":
            return float(node.get("minimum", 0))
        case "string":
            if node.get("format") in ("date", "date-time"):
                return "2000-01-01" + ("T00:00:00Z" if node["format"] == "date-time" else "")
            words = " ".join(document.split()[:3])
            return clipped(words, node).ljust(int(node.get("minLength", 0)), "x")
    return plain[node["type"]]
