"""Documents in files as people have them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from domain.errors import InvalidInput
from domain.extraction.jobs.items import Document
from entrypoints.cli.extract_input import DocumentSource, open_sources


def source(path: Path, *, form: str | None = None, delimiter: str | None = None) -> DocumentSource:
    [found] = open_sources(
        [str(path)], form=form, text_column="text", id_column="id", delimiter=delimiter
    )
    return found


def read(found: DocumentSource) -> list[tuple[str, str | None]]:
    documents = list(found.documents())
    assert found.check() == len(documents)
    return [(each.text, each.id) for each in documents]


def faults(found: DocumentSource) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        found.check()
    assert {each.pointer for each in caught.value.violations} == {found.name}
    return [each.detail for each in caught.value.violations]


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_read_with_texts_of_any_length_and_the_lines_they_begin_in(
    tmp_path: Path, packed: bool
) -> None:
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    long = 'two "mugs",\n' * 12_250
    rows = f'"{long.replace(chr(34), chr(34) * 2)}",x\n\na mug,\n"27"" screen",y,,\n'
    content = f"\ufefftext, id \r\n{rows}".encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    assert len(long) == 147_000
    after = 2 + long.count("\n") + 2
    assert read(source(path)) == [(long, "x"), ("a mug", f"{path}:{after}"), ('27" screen', "y")]


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("a.tsv", "id\ttext\n7\ta, mug\n", None),
        ("a.csv", "id;text\n7;a, mug\n", ";"),
        ("a.csv", "sep=;\nid;text\n7;a, mug\n", None),
        ("a.ndjson", '{"id": "7", "text": "a, mug"}\n', None),
    ],
)
def test_files_are_read_as_their_endings_say(
    tmp_path: Path, name: str, content: str, delimiter: str | None
) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    for each in (name, f"{name}.gz"):
        assert read(source(tmp_path / each, delimiter=delimiter)) == [("a, mug", "7")]


def test_lines_and_whole_files_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffa mug\r\n\nsöfa\rlamp".encode())
    assert read(source(path)) == [("a mug\r\n\nsöfa\rlamp", str(path))]
    lines = [("a mug", f"{path}:1"), ("söfa", f"{path}:3"), ("lamp", f"{path}:4")]
    assert read(source(path, form="lines")) == lines


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["is empty; a line with the names of the columns comes first"]),
        (b"text\n", ["holds no document"]),
        (b"id;text\n", ["has one column by ',', 'id;text': divide them so, or see --delimiter"]),
        (
            b"id,Text\n",
            ["has no column 'text'; it has id, Text. Name the right one by --text-column"],
        ),
        (b"text,text\n", ["has the column 'text' twice"]),
        (b'text\na\n"b\nc\n', ["line 3 opens a quoted field that does not end"]),
        (b'text\n"a\nb\n"c"\n', ["line 2 opens a quoted field that does not end"]),
        (
            b"text,id\na, b,1\nc\n",
            [
                "line 2 has 3 fields, the heading has 2: a field that holds ',' stands in quotes",
                "line 3 has 1 fields, the heading has 2",
            ],
        ),
        (b"text\na\x00\n", ["line 2 must not hold NUL or lone surrogates"]),
        (b"text\ncaf\xe9\n", ["line 2 is not UTF-8 (byte 0xE9 in field 1)"]),
        (
            b"text,id\n ,1\na," + b"x" * 256 + b"\n",
            ["line 2 must not be blank", "line 3 id must have 1..255 characters"],
        ),
        (b"text\n" + b"x" * 200_001, ["line 2 must have at most 200000 characters, has 200001"]),
        (b"text\n" + b"x" * 9_000_000, ["line 2 has more than 8388608 bytes in its line"]),
        ("text\na\n".encode("utf-16"), ["is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"]),
        (gzip.compress(b"text\na\n", mtime=0)[:-1], ["is no whole gzip file: its end is missing"]),
        (
            b"PK\x03\x04",
            ["is a ZIP archive or an Excel workbook: unpack it, or save it as CSV UTF-8"],
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_named_by_its_line(
    tmp_path: Path, content: bytes, said: list[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert [each.partition("; `row`")[0] for each in faults(source(tmp_path / "a.csv"))] == said


def test_a_text_of_any_size_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ü".encode() * 4_194_304 + b"x")
    assert faults(source(path)) == ["has more than 8388608 bytes"]
    path.write_bytes(b"caf\xe9")
    assert faults(source(path)) == ["is not UTF-8 (byte 3): iconv -f WINDOWS-1252 -t UTF-8"]


def test_an_id_column_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    [found] = open_sources(
        [str(tmp_path / "a.csv")], form=None, text_column="text", id_column="no", delimiter=None
    )
    assert faults(found) == ["has no column 'no'; it has text. Name the right one by --id-column"]


def test_of_many_bad_lines_the_first_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9\n" * 150)
    *named, more = faults(source(tmp_path / "a.txt", form="lines"))
    assert named[99].startswith("line 100 is not UTF-8 (byte 3)")
    assert (len(named), more) == (100, "has more bad lines; they are named once these are mended")


def test_a_pipe_is_kept_and_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, form in ((b'{"text": "a mug"}\n', "ndjson"), (b"a mug", "text")):
        path = tmp_path / form
        path.write_bytes(gzip.compress(content))
        with path.open("rb") as file:
            monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file}))
            [found] = open_sources(["-"], form=None, text_column="text", id_column="id")
        assert (found.name, found.form) == ("stdin", form)
        assert found.spool is not None
        with found.spool:
            assert [list(found.documents()) for _ in range(2)] == [
                [Document(text="a mug", id=None if form == "ndjson" else "stdin")]
            ] * 2
