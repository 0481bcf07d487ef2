"""JSON schemas as the three dialects write them, read in one way."""

from __future__ import annotations

from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]

_LOOSE_AS_STRING: Node = {"type": "string"}


def resolve(node: Node, root: Node) -> tuple[Node, bool]:
    """`node` without references and unions, and whether null is allowed.

    A union becomes its first branch that is not null; `type` comes back as one lower-case name.
    """
    nullable = False
    for _ in range(16):
        nullable = nullable or node.get("nullable") is True
        if "$ref" in node:
            node = {**_referred(node["$ref"], root), **_without(node, "$ref")}
        elif node.get("allOf"):
            node = {**node["allOf"][0], **_without(node, "allOf")}
        elif node.get("anyOf") or node.get("oneOf"):
            word = "anyOf" if node.get("anyOf") else "oneOf"
            branches = [branch for branch in node[word] if not _is_null(branch)]
            nullable = nullable or len(branches) < len(node[word])
            node = {**(branches[0] if branches else {}), **_without(node, word)}
        else:
            break
    kind = node.get("type")
    if isinstance(kind, list):
        nullable = nullable or "null" in kind
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in node else "string"
    nullable = nullable or None in node.get("enum", ())
    return {**node, "type": str(kind).lower()}, nullable


def _is_null(branch: Node) -> bool:
    return str(branch.get("type", "")).lower() == "null" or branch.get("const", 0) is None


def _without(node: Node, word: str) -> Node:
    return {key: value for key, value in node.items() if key != word}


def _referred(pointer: str, root: Node) -> Node:
    node: Any = root
    for part in pointer.removeprefix("#").strip("/").split("/"):
        if part:
            node = node.get(part, {}) if isinstance(node, dict) else {}
    return node if isinstance(node, dict) else _LOOSE_AS_STRING


def ordered_properties(node: Node) -> list[tuple[str, Node]]:
    """Properties in the order in which a provider writes them."""
    properties: dict[str, Node] = node.get("properties", {})
    order = [name for name in node.get("propertyOrdering", ()) if name in properties]
    order += [name for name in properties if name not in order]
    return [(name, properties[name]) for name in order]


def strictness_fault(schema: Node) -> str | None:
    """What OpenAI's strict mode refuses in `schema`, in its words; None when it is fine."""
    return _strictness_fault(schema, ())


def _strictness_fault(node: Any, path: tuple[str, ...]) -> str | None:
    if not isinstance(node, dict):
        return None
    if not path and node.get("type") != "object" and "$ref" not in node:
        return f"schema must be a JSON Schema of 'type: \"object\"', got {node.get('type')!r}."
    return _own_fault(node, f"In context={path!r}, ") or next(
        (
            fault
            for name, child in _children(node)
            if (fault := _strictness_fault(child, (*path, *name))) is not None
        ),
        None,
    )


def _own_fault(node: Node, context: str) -> str | None:
    if "properties" in node or node.get("type") == "object":
        if node.get("additionalProperties") is not False:
            return context + "'additionalProperties' is required to be supplied and to be false."
        required = node.get("required", ())
        missing = [name for name in node.get("properties", {}) if name not in required]
        if missing:
            return (
                f"{context}'required' is required to be supplied and to be an array including "
                f"every key in properties. Missing '{missing[0]}'."
            )
    word = next((word for word in ("allOf", "oneOf", "not") if word in node), None)
    return f"{context}'{word}' is not permitted." if word else None


def _children(node: Node) -> list[tuple[tuple[str, ...], Any]]:
    children = [
        ((holder, name), child)
        for holder in ("properties", "$defs", "definitions")
        for name, child in node.get(holder, {}).items()
    ]
    branches = [(("anyOf", str(at)), child) for at, child in enumerate(node.get("anyOf", ()))]
    return [*children, *branches, (("items",), node.get("items"))]


def find_keyword(node: Any, keyword: str) -> bool:
    """Whether `keyword` is used anywhere in the schema."""
    if isinstance(node, dict):
        if keyword in node:
            return True
        return any(
            find_keyword(child, keyword)
            for key, child in node.items()
            if key not in ("enum", "const", "default", "examples")
        )
    return isinstance(node, list) and any(find_keyword(child, keyword) for child in node)
