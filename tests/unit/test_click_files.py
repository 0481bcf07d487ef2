"""Files of searches are read whatever stands in them, and from any place where a block ends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.files.click_columns import ClickColumns
from adapters.files.click_files import ClickFile
from domain.errors import InvalidInput
from domain.insights.bulk import ClickRecord, Position, RawBlock, Reject, checked
from tests.contracts.click_formats import ROWS, record

HEADING = "search_query,clicks,impressions,click_through_rate,search_date"
DAY = date(2026, 11, 20)
LAMP = record("lamp", 1, 2)


def source(
    path: Path,
    *,
    form: str = "csv",
    delimiter: str = ",",
    block_bytes: int = 64,
    dated: bool = True,
    **named: str,
) -> ClickFile:
    return ClickFile(
        path,
        name=path.name,
        form=form,
        columns=ClickColumns(named=named, dated=dated),
        delimiter=delimiter,
        block_bytes=block_bytes,
    )


def read(
    file: ClickFile, start: Position | None = None, day: date | None = None
) -> tuple[list[ClickRecord], list[Reject], list[RawBlock]]:
    blocks = list(file.blocks(start or Position()))
    found = [checked(block, day) for block in blocks]
    return (
        [row for taken, _ in found for row in taken],
        [each for _, rejected in found for each in rejected],
        blocks,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clicks.csv"


def reasons(rejects: Sequence[Reject]) -> list[tuple[int, str]]:
    return [
        (each.line, f"{violation.pointer} {violation.detail}".strip())
        for each in rejects
        for violation in each.reasons
    ]


def refusal(file: ClickFile) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(file.blocks(Position()))
    [violation] = caught.value.violations
    assert violation.pointer == file.name
    return violation.detail


def test_rows_of_csv_are_read_with_quotes_blanks_and_either_end_of_line(path: Path) -> None:
    path.write_bytes(
        f"\ufeff{HEADING}\r\n"
        "lamp,1,2,0.5,2026-11-20\r\n"
        '"lamp",1,2,,2026-11-20\n'
        "\n"
        '" a ""b"", \nc", 3 ,\t4, 0.75 , 2026-11-20 \n'
        "sofa,0,0,,2026-11-21".encode()
    )
    rows, rejects, blocks = read(source(path))
    assert rows == [
        LAMP,
        LAMP,
        record(' a "b", \nc', 3, 4),
        ("sofa", 0, 0, None, date(2026, 11, 21)),
    ]
    assert rejects == []
    assert [line for block in blocks for line in block.lines] == [2, 3, 5, 7]
    assert blocks[-1].end == Position(offset=path.stat().st_size, line=7)


def test_columns_may_be_called_and_ordered_otherwise_and_others_are_named(path: Path) -> None:
    path.write_text("day;n; q ;shown;note\n2026-11-20;1;lamp;2;\n")
    file = source(
        path, delimiter=";", search_query="q", clicks="n", impressions="shown", search_date="day"
    )
    assert read(file)[0] == [LAMP]
    assert file.unread == ["note"]
    assert (
        file.options == "csv by ';', search_query=q, clicks=n, impressions=shown, search_date=day"
    )


def test_a_file_without_days_needs_one_for_all(path: Path) -> None:
    path.write_text("search_query,clicks,impressions\nlamp,1,2\n")
    assert read(source(path, dated=False), day=DAY)[0] == [LAMP]
    assert "or give all rows a day by --date" in refusal(source(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n1,2\n", "has no column 'search_query' (it has none)"),
        (b"query,clicks,impressions,search_date\n", "name it by --column search_query=query"),
        (b"search_query,click,impressions,search_date\n", "--column clicks=click"),
        (b"search_query;clicks;impressions\n", "has one column by ',', 'search_query;clicks"),
        (b"search_query,clicks,clicks,impressions,search_date\n", "the column 'clicks' twice"),
        (HEADING.encode("utf-16"), "is UTF-16 or no text"),
        (b"PAR1\x00\x00", "is UTF-16 or no text"),
        (b"caf\xe9,clicks\n", "is not UTF-8 (byte 3 of line 1)"),
        (b'"search_query\n', "has no heading in line 1"),
        (b"search_query,clicks\rlamp,1\r", "has no heading in line 1"),
    ],
)
def test_a_file_that_cannot_be_rows_is_refused_with_a_remedy(
    path: Path, content: bytes, said: str
) -> None:
    path.write_bytes(content)
    assert said in refusal(source(path))
    with pytest.raises(InvalidInput):
        _ = source(path).unread


def test_one_column_is_not_read_as_two(path: Path) -> None:
    path.write_text(HEADING + "\n")
    assert "one column for two" in refusal(source(path, clicks="impressions"))


def test_bad_rows_of_csv_are_told_by_line_and_the_others_are_read(path: Path) -> None:
    lines = [
        b"lamp,1,2,,2026-11-20",
        b"lamp,1,2,2026-11-20",
        b"caf\xe9,1,2,,2026-11-20",
        b'"lamp"x,1,2,,2026-11-20',
        b"la\rmp,1,2,,2026-11-20",
        b"lamp,x,2,y,z",
        b"a\x00,1,2,,2026-11-20",
        b"lamp,1,2,0.9,2026-11-20",
        b"lamp,1_0,20,,2026-11-20",
        b"lamp,1,2,,20261120",
        b"lamp,,2,,2026-02-30",
        b'"two\nlines",3,2,,2026-11-20',
        b'"' + b"x" * 140_000 + b'",1,2,,2026-11-20',
        b"lamp,1,2,,2026-11-20",
        b'"lamp,1,2,,2026-11-20',
        b"lamp,1,2,,2026-11-20",
    ]
    path.write_bytes(b"\n".join([HEADING.encode(), *lines]))
    for size in (1, 64, 1_000_000):
        rows, rejects, _ = read(source(path, block_bytes=size))
        assert rows == [LAMP, LAMP]
        told = reasons(rejects)
        assert told[:4] == [
            (3, "has 4 fields, the heading has 5"),
            (4, "is not UTF-8 (byte 0xE9 in field 1)"),
            (5, 'goes on after the end of a quoted field: a quote in a field is doubled ("")'),
            (6, "has a carriage return outside of quotes"),
        ]
        assert [(line, said.split()[0]) for line, said in told[4:]] == [
            (7, "/clicks"),
            (7, "/click_through_rate"),
            (7, "/search_date"),
            (8, "/search_query"),
            (9, "/click_through_rate"),
            (10, "/clicks"),
            (11, "/search_date"),
            (12, "/clicks"),
            (12, "/search_date"),
            (13, "/clicks"),
            (15, "has"),
            (17, "opens"),
        ]
        assert "a field of more than 131072 characters" in told[-2][1]
        assert "`row` holds its first 4096 characters" in told[-2][1]
        assert told[-1][1] == "opens a quoted field that does not end (lines 17 to 18)"
        assert rejects[-1].row == '"lamp,1,2,,2026-11-20\nlamp,1,2,,2026-11-20'
        assert rejects[0].row == ["lamp", "1", "2", "2026-11-20"]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_line_without_end_is_left_out(tmp_path: Path, form: str) -> None:
    path = tmp_path / "clicks"
    good = b"lamp,1,2,,2026-11-20\n"
    head = f"{HEADING}\n".encode()
    if form == "ndjson":
        members = {"search_query": "lamp", "clicks": 1, "impressions": 2}
        good = json.dumps({**members, "search_date": "2026-11-20"}).encode() + b"\n"
        head = b""
    path.write_bytes(head + good + b"x" * 3_000_000 + b"\n" + good + b"y" * 2_000_000)
    rows, rejects, blocks = read(source(path, form=form))
    assert rows == [LAMP, LAMP]
    first = 2 if form == "ndjson" else 3
    assert [line for line, _ in reasons(rejects)] == [first, first + 2]
    assert all("more than 1048576 bytes" in said for _, said in reasons(rejects))
    assert rejects[0].row == "x" * 4096
    assert blocks[-1].end == Position(offset=path.stat().st_size, line=first + 2)


def test_rows_of_ndjson_are_read(path: Path) -> None:
    path.write_text(
        '\ufeff{"q": "lamp", "clicks": 1.0, "impressions": 2, "search_date": "2026-11-20"}\r\n'
        "\n"
        '{"impressions": 2, "q": "lamp", "clicks": 1, "click_through_rate": 0.5,'
        ' "search_date": "2026-11-20", "extra": {}}'
    )
    file = source(path, form="ndjson", search_query="q")
    assert file.size == path.stat().st_size
    rows, rejects, blocks = read(file)
    assert (rows, rejects) == ([LAMP, LAMP], [])
    assert [line for block in blocks for line in block.lines] == [1, 3]
    # Only the first line says which members there are.
    assert file.unread == []
    assert file.options == "ndjson, search_query=q"


def test_bad_lines_of_ndjson_are_told_by_line_and_the_others_are_read(path: Path) -> None:
    good = b'{"search_query": "lamp", "clicks": 1, "impressions": 2, "search_date": "2026-11-20"}'
    lines = [
        good,
        b"oops",
        b"[1]",
        good.replace(b"lamp", b"\xff"),
        good.replace(b"lamp", b"\\ud800"),
        good.replace(b"1,", b'"1",'),
        good.replace(b"1,", b"1.5,"),
        good.replace(b"1,", b"1" * 30 + b","),
        good.replace(b'"2026-11-20"', b"20261120"),
        good.replace(b"2026-11-20", b"2026-11-31"),
        good.replace(b'"2026-11-20"', b'""'),
        good.replace(b"1,", b"null,"),
        b"[" * 100_000,
        good,
    ]
    path.write_bytes(b"\n".join(lines))
    for size in (1, 100, 1_000_000):
        rows, rejects, _ = read(source(path, form="ndjson", block_bytes=size))
        assert rows == [LAMP, LAMP]
        assert [(line, said.split(":")[0]) for line, said in reasons(rejects)] == [
            (2, "is not JSON"),
            (3, "is no object"),
            (4, "is not UTF-8 (byte 18)"),
            (5, "/search_query must not hold a lone surrogate"),
            (6, "/clicks must be an integer from 0 to 2147483647, is '1'"),
            (7, "/clicks must be an integer from 0 to 2147483647, is 1.5"),
            (8, f"/clicks must be an integer from 0 to 2147483647, is {'1' * 30}"),
            (9, "/search_date must be a day such as 2026-11-20, is 20261120"),
            (10, "/search_date must be a day such as 2026-11-20, is '2026-11-31'"),
            (11, "/search_date is missing"),
            (12, "/clicks is missing"),
            (13, "is not JSON"),
        ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"lamp\n", "has no JSON in its first line"),
        (b"[]\n", "has no object in its first line"),
        (b'{"query": "lamp"}\n', "has no column 'search_query'"),
    ],
)
def test_a_file_that_cannot_be_lines_of_json_is_refused(
    path: Path, content: bytes, said: str
) -> None:
    path.write_bytes(content)
    assert said in refusal(source(path, form="ndjson"))


def table(**columns: Any) -> pa.Table:
    return pa.table(
        {
            "search_query": ["lamp", "lamp"],
            "clicks": [1, 1],
            "impressions": [2, 2],
            "search_date": [DAY, DAY],
            **columns,
        }
    )


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"clicks": [1.0, 1.0], "search_date": ["2026-11-20", "2026-11-20"]},
        {"search_query": pa.array(["lamp", "lamp"]).dictionary_encode()},
        {"click_through_rate": [0.5, None], "more": [1, 2]},
        {"click_through_rate": pa.nulls(2), "clicks": pa.array([1, 1], pa.uint64())},
    ],
)
def test_rows_of_parquet_are_read(path: Path, columns: Mapping[str, Any]) -> None:
    pq.write_table(table(**columns), path)
    file = source(path, form="parquet")
    assert read(file)[0] == [LAMP, LAMP]
    assert file.unread == (["more"] if "more" in columns else [])
    assert (file.size, file.options) == (2, "parquet")


def test_bad_rows_of_parquet_are_told_by_their_number(path: Path) -> None:
    pq.write_table(table(clicks=[None, 3], search_date=["x", "2026-11-20"]), path)
    _, rejects, _ = read(source(path, form="parquet"))
    assert [(line, said.split()[0]) for line, said in reasons(rejects)] == [
        (1, "/clicks"),
        (1, "/search_date"),
        (2, "/clicks"),
    ]


def test_a_long_parquet_file_is_read_from_any_block_on(path: Path) -> None:
    count = 20_000
    names = [f"q{n}" for n in range(count)]
    rows = {"search_query": names, "clicks": [1] * count, "impressions": [2] * count}
    pq.write_table(pa.table(rows), path, row_group_size=9_000)
    file = source(path, form="parquet", dated=False)
    taken, rejects, blocks = read(file, day=DAY)
    assert ([row[0] for row in taken], rejects) == (names, [])
    assert file.size == blocks[-1].read == count
    for start in (1, 8_192, 8_999, 9_000, 9_001, 19_999, count):
        rest, _, _ = read(file, Position(offset=start, line=start), DAY)
        assert [row[0] for row in rest] == names[start:]


def test_a_file_that_cannot_be_parquet_rows_is_refused(path: Path) -> None:
    pq.write_table(table(search_date=[1, 2], clicks=["1", "1"]), path)
    said = refusal(source(path, form="parquet"))
    assert "has clicks as string: must be integer or floating" in said
    assert "has search_date as int64: must be date32 or string" in said
    path.write_bytes(b"PAR1 and no more")
    assert "cannot be read as Parquet" in refusal(source(path, form="parquet"))
    pq.write_table(table().drop_columns("clicks"), path)
    assert "has no column 'clicks'" in refusal(source(path, form="parquet"))


def test_a_gzipped_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv.gz"
    packed = gzip.compress(f"{HEADING}\nlamp,1,2,,2026-11-20\n".encode() * 1)
    path.write_bytes(packed)
    rows, _, blocks = read(source(path))
    assert rows == [LAMP]
    assert (source(path).size, blocks[-1].read) == (len(packed), len(packed))
    path.write_bytes(packed[:-4])
    assert "is no whole gzip file" in refusal(source(path))
    path.write_text(HEADING)
    assert "is no whole gzip file" in refusal(source(path))


def test_a_file_that_grows_while_it_is_read_is_refused(path: Path) -> None:
    path.write_text(f"{HEADING}\n" + "lamp,1,2,,2026-11-20\n" * 20)
    blocks = source(path).blocks(Position())
    next(blocks)
    with path.open("a") as file:
        file.write("more")
    with pytest.raises(InvalidInput) as caught:
        next(blocks)
    assert caught.value.violations[0].detail == "was changed while it was read"


def test_the_same_content_is_known_again(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy.csv"
    for each in (path, other):
        each.write_text(HEADING)
    assert source(path).fingerprint == source(other).fingerprint
    other.write_text(HEADING + "\n")
    assert source(path).fingerprint != source(other).fingerprint


@given(
    rows=st.lists(ROWS, max_size=12),
    wrong=st.lists(st.sampled_from(['"x', "a,b", 'a"b,1,2,,x', "\r", '"a"b', ""]), max_size=4),
    size=st.integers(1, 300),
    data=st.data(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_reading_goes_on_from_any_place_where_a_block_ends(
    path: Path, rows: list[ClickRecord], wrong: list[str], size: int, data: st.DataObject
) -> None:
    lines = [
        f'"{query.replace(chr(34), chr(34) * 2)}",{clicks},{shown},,{day}'
        for query, clicks, shown, _, day in rows
    ]
    mixed = data.draw(st.permutations(lines + wrong))
    path.write_text("\n".join([HEADING, *mixed]), encoding="utf-8", newline="")
    whole_rows, whole_rejects, _ = read(source(path, block_bytes=10**6))
    taken, rejects, blocks = read(source(path, block_bytes=size))
    assert (taken, rejects) == (whole_rows, whole_rejects)
    before: list[ClickRecord] = []
    for block in blocks:
        before += checked(block, None)[0]
        assert before + read(source(path, block_bytes=size), block.end)[0] == whole_rows
