"""Writes an instance of the requested schema out of the document, or out of a given answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fake_provider.calls import Call, text_hash
from fake_provider.documents import Finding, clipped, fallback, find, locate
from fake_provider.schemas import Node, ordered_properties, resolve

Answerer: TypeAlias = Callable[[Call], Any]
"""Answers a call: an object to be fitted to the schema, a string for the content as it stands, or
None to leave the call to the rules."""

MISSING: Any = object()
"""Stands for an answer that nobody gave; None is an answer."""

_QUOTE_NAMES = ("quote", "evidence", "source", "span", "verbatim", "excerpt")
_VALUE_NAMES = ("value", "answer", "result")
_DEEPEST = 12


class AnswerBook:
    """Answers that were given beforehand, by the document that they belong to."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers: dict[int, Any] = {}
        self.add(answers)

    def add(self, answers: Mapping[str, Any]) -> None:
        """Add answers; a known document gets the new one."""
        for document, answer in answers.items():
            self._answers[text_hash(document.strip())] = answer

    def find(self, call: Call) -> Any:
        """The answer for the call's document; None when none was given."""
        return self._answers.get(text_hash(call.document)) if self._answers else None


def write_answer(schema: Node, document: str, given: Any = MISSING, notes: str = "") -> Any:
    """An instance of `schema`.

    Args:
        schema: JSON schema; objects that have a quote and a value get both from one place of the
            document.
        document: the text to read.
        given: the right answer; a plain value where the schema wants quote and value is put into
            that shape, and members that the schema does not know are left out.
        notes: the instructions, which may describe fields that the schema only names.
    """
    return _Writer(schema, document, notes).fill(schema, "", given, 0)


class _Writer:
    """Walks one schema with one document."""

    def __init__(self, root: Node, document: str, notes: str) -> None:
        self._root = root
        self._document = document
        self._notes = notes

    def fill(self, node: Node, name: str, given: Any, depth: int) -> Any:
        node, nullable = resolve(node, self._root)
        if "const" in node:
            return node["const"]
        if given is None and nullable:
            return None
        if depth > _DEEPEST:
            return None if nullable else fallback(node, self._document)
        if node["type"] == "object":
            return self._object(node, name, given, depth)
        if node["type"] == "array":
            return self._array(node, name, given, depth)
        if given is not MISSING:
            return given
        finding = self._find(name, node)
        if finding is not None:
            return clipped(finding.value, node)
        return None if nullable else fallback(node, self._document)

    def _find(self, name: str, node: Node) -> Finding | None:
        if not node.get("description") and self._notes and name:
            node["description"] = _described(name, self._notes)
        return find(name, node, self._document)

    def _object(self, node: Node, name: str, given: Any, depth: int) -> dict[str, Any]:
        properties = ordered_properties(node)
        roles = _evidence_roles([prop for prop, _ in properties])
        if roles is not None:
            return self._evidence(node, roles, name, given)
        known = given if isinstance(given, dict) else {}
        answer = {}
        for prop, child in properties:
            part = known.get(prop, MISSING)
            if part is MISSING:
                part = self._sibling_quote(prop, node, known)
            answer[prop] = self.fill(child, prop, part, depth + 1)
        return answer

    def _sibling_quote(self, prop: str, node: Node, known: dict[str, Any]) -> Any:
        """What stands in `customer_quote` when there is a `customer` beside it."""
        base, _, word = prop.rpartition("_")
        sibling = node["properties"].get(base)
        if word not in _QUOTE_NAMES or sibling is None:
            return MISSING
        if base in known:
            return locate(known[base], self._document)
        leaf, _ = resolve(sibling, self._root)
        finding = self._find(base, leaf)
        return finding.quote if finding else MISSING

    def _evidence(
        self, node: Node, roles: tuple[str, str], name: str, given: Any
    ) -> dict[str, Any]:
        quote_name, value_name = roles
        leaf, _ = resolve(node["properties"][value_name], self._root)
        leaf.setdefault("description", node.get("description", ""))
        finding = self._finding_for(leaf, roles, name, given)
        extra = given if isinstance(given, dict) else {}
        answer: dict[str, Any] = {}
        for prop, child in ordered_properties(node):
            resolved, nullable = resolve(child, self._root)
            if prop in roles and finding is not None:
                value = finding.quote if prop == quote_name else finding.value
                answer[prop] = None if value == "" and nullable else clipped(value, resolved)
            elif prop in extra:
                answer[prop] = extra[prop]
            else:
                answer[prop] = None if nullable else fallback(resolved, "")
        return answer

    def _finding_for(
        self, leaf: Node, roles: tuple[str, str], name: str, given: Any
    ) -> Finding | None:
        quote_name, value_name = roles
        if isinstance(given, dict) and value_name in given:
            value = given[value_name]
            quote = given.get(quote_name) or locate(value, self._document) or ""
            return Finding(quote, value)
        if given is MISSING and leaf["type"] == "array":
            given = self._array(leaf, name, MISSING, 0) or None
        elif given is MISSING:
            return self._find(name, leaf)
        if given is None:
            return None
        first = given[0] if isinstance(given, list) and given else given
        return Finding(locate(first, self._document) or "", given)

    def _array(self, node: Node, name: str, given: Any, depth: int) -> list[Any]:
        items: Node = node.get("items") or {"type": "string"}
        if isinstance(given, list):
            return [self.fill(items, name, part, depth + 1) for part in given]
        first = self.fill(items, name, MISSING, depth + 1)
        empty = first in (None, "") or (isinstance(first, dict) and not any(first.values()))
        wanted = max(int(node.get("minItems", 0)), 0 if empty else 1)
        return [first] * min(wanted, int(node.get("maxItems", wanted)))


def _evidence_roles(names: list[str]) -> tuple[str, str] | None:
    quote = next((name for name in names if name.lower() in _QUOTE_NAMES), None)
    value = next((name for name in names if name.lower() in _VALUE_NAMES), None)
    return (quote, value) if quote and value else None


def _described(name: str, notes: str) -> str:
    """What the instructions say about a field: ``- `name` ...: text`` or ``name (text)``."""
    word = re.escape(name)
    found = re.search(rf"`{word}`([^\n]*)|\b{word} \(([^()\n]*)\)|\b{word}: ([^\n]*)", notes)
    return next((group for group in found.groups() if group), "") if found else ""
