"""What of a picture passes into a page."""

from __future__ import annotations

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from adapters.charts.drawing import PLACEHOLDER_ORIGIN, inlined
from tests.contracts.charts import Elements

_OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' width="20" height="10" viewBox="0 0 20 10">'
)


def cleaned(inside: str, label: str = "label") -> Elements:
    return Elements(inlined(f"{_OPENING}{inside}</svg>", label))


def test_a_picture_takes_the_size_of_its_place() -> None:
    (name, attributes), *_ = cleaned("<g/>").tags
    assert (name, attributes["viewbox"], attributes["role"]) == ("svg", "0 0 20 10", "img")
    assert not {"width", "height"} & attributes.keys()


def test_only_shapes_their_geometry_and_their_colours_pass() -> None:
    found = cleaned(
        '<script>alert(1)</script><style>*{}</style><image href="https://example.com/"/>'
        '<foreignObject><p>x</p></foreignObject><use href="#a"/><defs><g id="a"/></defs>'
        '<rect onclick="alert(1)" style="fill: red" id="b" class="c" font-family="x"'
        ' clip-path="url(#a)" fill="var(--chart-1)" x="1.23456" width="2"/>'
    )
    assert found.tags[1:] == [("rect", {"fill": "var(--chart-1)", "x": "1.23", "width": "2"})]


def test_what_nobody_sees_is_left_out() -> None:
    hidden = '<text opacity="0">a</text><text/><path display="none"/>'
    assert len(cleaned(hidden).tags) == 1


def test_links_lead_to_this_server_alone_and_are_named_by_their_mark() -> None:
    found = cleaned(
        f'<a xlink:href="{PLACEHOLDER_ORIGIN}/x?a=1&amp;b=2"><path aria-label="tip"/></a>'
        f'<a xlink:href="{PLACEHOLDER_ORIGIN}.example.com/"><path/></a>'
        '<a xlink:href="javascript:alert(1)"><path/></a><a href="//example.com/"><path/></a>'
    )
    links = [attributes for name, attributes in found.tags if name == "a"]
    assert links[0] == {"href": "/x?a=1&b=2", "tabindex": "-1", "aria-label": "tip"}
    assert not [each for each in links[1:] if "href" in each]
    assert found.tags[0][1]["role"] == "group"


def test_words_on_a_mark_do_not_stand_in_the_way_of_pointing_at_it() -> None:
    found = cleaned('<path aria-label="tip"/><text>1</text>')
    (_, mark), (_, words) = found.tags[1:]
    assert (mark["data-tip"], mark["pointer-events"]) == ("tip", "all")
    assert (words["pointer-events"], words["aria-hidden"]) == ("none", "true")


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]), max_size=30))
def test_every_text_stays_a_text(text: str) -> None:
    found = cleaned(f'<text aria-label="{escape(text)}">.{escape(text)}</text>', text)
    (_, root), (_, words) = found.tags
    assert root["aria-label"] == words["data-tip"] == text
    assert "".join(found.texts) == f".{text}"
