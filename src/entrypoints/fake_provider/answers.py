"""Writes an instance of the requested schema out of the document, or out of a given answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from entrypoints.fake_provider.calls import Call, text_hash
from entrypoints.fake_provider.findings import Finding, find, locate
from entrypoints.fake_provider.schemas import Node, ordered_properties, resolve

Answerer: TypeAlias = Callable[[Call], Any]
"""Answers a call: an object to be fitted to the schema, a string for the content as it stands, or
None to leave the call to the rules."""

_MISSING: Any = object()
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


def write_answer(schema: Node, document: str, given: Any = _MISSING) -> Any:
    """An instance of `schema`.

    Args:
        schema: JSON schema; objects that have a quote and a value get both from one place of the
            document.
        document: the text to read.
        given: the right answer; a plain value where the schema wants quote and value is put into
            that shape, and members that the schema does not know are left out.
    """
    return _fill(schema, "", schema, document, given, 0)


def _fill(node: Node, name: str, root: Node, document: str, given: Any, depth: int) -> Any:
    node, nullable = resolve(node, root)
    if "const" in node:
        return node["const"]
    if depth > _DEEPEST:
        return None if nullable else _fallback(node, document)
    if node["type"] == "object":
        if given is None and nullable:
            return None
        return _fill_object(node, name, root, document, given, depth)
    if node["type"] == "array":
        return _fill_array(node, name, root, document, given, nullable, depth)
    if given is not _MISSING:
        return given
    finding = find(name, node, document)
    if finding is not None:
        return _clipped(finding.value, node)
    return None if nullable else _fallback(node, document)


def _fill_object(
    node: Node, name: str, root: Node, document: str, given: Any, depth: int
) -> dict[str, Any]:
    properties = ordered_properties(node)
    roles = _evidence_roles([prop for prop, _ in properties])
    if roles is not None:
        return _fill_evidence(node, roles, name, root, document, given)
    answer = {}
    for prop, child in properties:
        part = _MISSING
        if isinstance(given, dict):
            part = given.get(prop, _MISSING)
        if part is _MISSING:
            part = _sibling_quote(prop, node, root, document, given)
        answer[prop] = _fill(child, prop, root, document, part, depth + 1)
    return answer


def _sibling_quote(prop: str, node: Node, root: Node, document: str, given: Any) -> Any:
    """What stands in `customer_quote` when there is a `customer` beside it."""
    base, _, word = prop.rpartition("_")
    sibling = node["properties"].get(base)
    if word not in _QUOTE_NAMES or sibling is None:
        return _MISSING
    if isinstance(given, dict) and base in given:
        return locate(given[base], document)
    leaf, _ = resolve(sibling, root)
    finding = find(base, leaf, document)
    return finding.quote if finding else _MISSING


def _evidence_roles(names: list[str]) -> tuple[str, str] | None:
    quote = next((name for name in names if name.lower() in _QUOTE_NAMES), None)
    value = next((name for name in names if name.lower() in _VALUE_NAMES), None)
    return (quote, value) if quote and value else None


def _fill_evidence(
    node: Node, roles: tuple[str, str], name: str, root: Node, document: str, given: Any
) -> dict[str, Any]:
    quote_name, value_name = roles
    leaf, _ = resolve(node["properties"][value_name], root)
    leaf.setdefault("description", node.get("description", ""))
    finding: Finding | None
    extra: dict[str, Any] = {}
    if isinstance(given, dict) and value_name in given:
        extra = given
        quote = given.get(quote_name) or locate(given[value_name], document) or ""
        finding = Finding(quote, given[value_name])
    elif given is _MISSING and leaf["type"] == "array":
        items = _fill_array(leaf, name, root, document, _MISSING, False, 0)
        finding = Finding(locate(items[0], document) or "", items) if items else None
    elif given is _MISSING:
        finding = find(name, leaf, document)
    else:
        first = given[0] if isinstance(given, list) and given else given
        finding = Finding(locate(first, document) or "", given) if given is not None else None
    answer: dict[str, Any] = {}
    for prop, child in ordered_properties(node):
        resolved, nullable = resolve(child, root)
        if prop in (quote_name, value_name) and finding is not None:
            value = finding.quote if prop == quote_name else _clipped(finding.value, resolved)
            answer[prop] = None if value == "" and nullable else value
        elif prop in extra:
            answer[prop] = extra[prop]
        else:
            answer[prop] = None if nullable else _fallback(resolved, "")
    return answer


def _fill_array(
    node: Node, name: str, root: Node, document: str, given: Any, nullable: bool, depth: int
) -> list[Any] | None:
    items: Node = node.get("items") or {"type": "string"}
    if given is None and nullable:
        return None
    if isinstance(given, list):
        return [_fill(items, name, root, document, part, depth + 1) for part in given]
    first = _fill(items, name, root, document, _MISSING, depth + 1)
    empty = first is None or (isinstance(first, dict) and not any(first.values()))
    wanted = max(int(node.get("minItems", 0)), 0 if empty else 1)
    return [first] * min(wanted, int(node.get("maxItems", wanted)))


def _clipped(value: Any, node: Node) -> Any:
    if isinstance(value, str) and "maxLength" in node and "enum" not in node:
        return value[: int(node["maxLength"])]
    return value


def _fallback(node: Node, document: str) -> Any:
    """A value of the right type for a field that may not be null and was not found."""
    if node.get("enum"):
        return node["enum"][0]
    match node["type"]:
        case "integer":
            return int(node.get("minimum", 0))
        case "number":
            return float(node.get("minimum", 0))
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
        case "null":
            return None
    if node.get("format") in ("date", "date-time"):
        return "2000-01-01" + ("T00:00:00Z" if node["format"] == "date-time" else "")
    words = " ".join(document.split()[:3])
    return _clipped(words, node).ljust(int(node.get("minLength", 0)), "x")
