"""Files of searches are read whatever stands in them, and from any place where a block ends."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.files.click_columns import ClickColumnNames
from adapters.files.click_files import ClickFile, RejectedRowFile, form_of
from domain.errors import InvalidInput, Violation
from domain.insights.click_rows import (
    AcceptedRow,
    ClickRowBlock,
    ReadPosition,
    RejectedRow,
    check_rows,
)
from domain.strict_json import read_json
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
        columns=ClickColumnNames(named=named, dated=dated),
        delimiter=delimiter,
        block_bytes=block_bytes,
    )


def read(
    file: ClickFile, start: ReadPosition | None = None, day: date | None = None
) -> tuple[list[AcceptedRow], list[RejectedRow], list[ClickRowBlock]]:
    blocks = list(file.blocks(start or ReadPosition()))
    found = [check_rows(block, day) for block in blocks]
    return (
        [row for taken, _ in found for row in taken],
        [each for _, rejected in found for each in rejected],
        blocks,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clicks.csv"


def reasons(rejects: Sequence[RejectedRow]) -> list[tuple[int, str]]:
    return [
        (each.line, f"{violation.pointer} {violation.detail}".strip())
        for each in rejects
        for violation in each.reasons
    ]


def refusal(file: ClickFile) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(file.blocks(ReadPosition()))
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
    assert blocks[-1].end == ReadPosition(offset=path.stat().st_size, line=7)


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
        (b"\n", "is empty"),
        (b"\n1,2\n", "has no column 'search_query' (it has '1', '2')"),
        (b"query,clicks,impressions,search_date\n", "name it by --column search_query=query"),
        (b"search_query,click,impressions,search_date\n", "--column clicks=click"),
        (b"search_query;clicks;impressions\n", "has one column by ',', 'search_query;clicks"),
        (b"search_query,clicks,clicks,impressions,search_date\n", "the column 'clicks' twice"),
        (HEADING.encode("utf-16"), "is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
        (HEADING.encode("utf-16-be"), "is UTF-16: save it as UTF-8 (iconv -f UTF-16BE"),
        (HEADING.encode("utf-16-le"), "is UTF-16: save it as UTF-8 (iconv -f UTF-16LE"),
        (HEADING.encode("utf-32"), "is UTF-32"),
        (b"PAR1\x00\x00", "is Parquet"),
        (b"PK\x03\x04", "is a ZIP archive or an Excel workbook"),
        (bz2.compress(b"x"), "is packed by bzip2"),
        (lzma.compress(b"x"), "is packed by xz"),
        (b"\x28\xb5\x2f\xfd\x04", "is packed by zstd"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "is packed by gzip twice"),
        (gzip.compress(b"a.csv".ljust(257, b"\0") + b"ustar", mtime=0), "is a tar archive"),
        (b"search_query,\x00\n", "is no text: NUL in line 1"),
        (b"search_query," + b"x" * 2_000_000, "more than 1048576 bytes in its first line"),
        (b"search_query\tclicks\n", "has one column by ','"),
        (b"Search_Query,clicks,impressions,search_date\n", "search_query=Search_Query"),
        (b"caf\xe9,clicks\n", "is not UTF-8 (byte 3 of line 1): iconv"),
        (b'"search_query\n', "has no heading in line 1"),
        (b"search_query,clicks\rlamp,1\r", "do its lines end with a carriage return alone?"),
    ],
)
def test_a_file_that_cannot_be_rows_is_refused_with_a_remedy(
    path: Path, content: bytes, said: str
) -> None:
    path.write_bytes(content)
    assert said in refusal(source(path))
    with pytest.raises(InvalidInput):
        _ = source(path).unread
    with pytest.raises(InvalidInput):
        source(path).check()


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
        assert rows == [LAMP, LAMP, LAMP]
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
            (15, "/search_query"),
            (17, "opens"),
        ]
        assert rejects[-1].row == '"lamp,1,2,,2026-11-20'
        assert rejects[1].row == ["caf\\xe9", "1", "2", "", "2026-11-20"]
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
    assert blocks[-1].end == ReadPosition(offset=path.stat().st_size, line=first + 2)


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
    assert file.unread == []  # of the first rows, all that fit into one block
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
            (13, "is nested more than 100 deep; `row` holds its first 4096 bytes"),
        ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
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
        rest, _, _ = read(file, ReadPosition(offset=start, line=start), DAY)
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


PACKED = gzip.compress(f"{HEADING}\n".encode() + b"lamp,1,2,,2026-11-20\n" * 9_000)


@pytest.mark.parametrize("name", ["clicks.csv.gz", "pipe"])
@pytest.mark.parametrize("padding", [b"", b"\0" * 70_000])
def test_a_packed_file_is_read_with_all_its_members(
    tmp_path: Path, name: str, padding: bytes
) -> None:
    path = tmp_path / name
    more = gzip.compress(b"lamp,1,2,,2026-11-20\n") + gzip.compress(b"")
    path.write_bytes(PACKED + padding + more)
    file = source(path, block_bytes=10_000)
    file.check()
    rows, rejects, blocks = read(file)
    assert (rows, rejects, file.unread) == ([LAMP] * 9_001, [], [])
    assert file.size == blocks[-1].read == path.stat().st_size
    for block in blocks[::7]:
        assert len(read(file, block.end)[0]) == 9_002 - block.end.line


def test_what_follows_the_packed_data_is_left_alone_and_named(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv.gz"
    for padding in (b"", b"\0" * 70_000):
        path.write_bytes(PACKED + padding + b"garbage")
        file = source(path)
        file.check()
        assert len(read(file)[0]) == 9_000
        assert file.unread == ["what follows the gzip data"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PACKED[:-4], "its end is missing"),
        (PACKED[:200], "its end is missing"),
        (PACKED + PACKED[:200], "its end is missing"),
        (PACKED[:-8] + b"12345678", "incorrect data check"),
        (b"", "it does not begin as one"),
        (HEADING.encode(), "it does not begin as one"),
    ],
)
def test_a_packed_file_that_is_not_whole_is_refused_before_its_first_row(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        source(path).check()
    assert said in caught.value.violations[0].detail
    assert "is no whole gzip file" in caught.value.violations[0].detail


def test_a_parquet_file_that_is_damaged_is_refused_before_its_first_row(path: Path) -> None:
    names = [f"lamp {n}" for n in range(9_000)]
    rows = {"search_query": names, "clicks": [1] * 9_000, "impressions": [2] * 9_000}
    pq.write_table(pa.table(rows), path, compression="zstd", row_group_size=3_000)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\0" * 200 + content[middle + 200 :])
    with pytest.raises(InvalidInput) as caught:
        source(path, form="parquet", dated=False).check()
    assert "cannot be read as Parquet" in caught.value.violations[0].detail


def test_a_string_of_parquet_that_is_not_utf_8_is_a_reject(path: Path) -> None:
    raw = pa.array([b"lamp", b"caf\xe9"], pa.binary())
    bad = pa.StringArray.from_buffers(2, *raw.buffers()[1:])
    pq.write_table(table(search_query=bad), path)
    rows, rejects, _ = read(source(path, form="parquet"))
    assert rows == [LAMP]
    assert reasons(rejects) == [(2, "/search_query must be a text, is b'caf\\xe9'")]


@pytest.mark.parametrize(
    ("heading", "row", "delimiter"),
    [
        ("sep=;\r\nsearch_query;clicks;impressions;search_date", "lamp;1;2;2026-11-20", ","),
        ('"search_query","clicks","impressions","search_date"', "lamp,1,2,2026-11-20", ","),
        ("search_query , clicks, impressions,search_date", "lamp,1,2,2026-11-20", ","),
        ("\n\r\nsearch_query,clicks,impressions,search_date", "lamp,1,2,2026-11-20", ","),
        ("search_query,clicks,impressions,search_date", "lamp,1,2,2026-11-20,,,", ","),
        ("search_query,clicks,impressions,search_date,,", "lamp,1,2,2026-11-20,,", ","),
        ("search_query,clicks,impressions,search_date", "lamp,1.0,2.00,2026-11-20", ","),
        ("search_query\tclicks\timpressions\tsearch_date", "lamp\t1\t2\t2026-11-20", "\t"),
    ],
)
def test_tables_as_other_programs_write_them_are_read(
    path: Path, heading: str, row: str, delimiter: str
) -> None:
    path.write_bytes(f"\ufeff{heading}\r\n{row}\r\n{row}\r\n".encode())
    file = source(path, delimiter=delimiter)
    rows, rejects, _ = read(file)
    assert (rows, rejects, file.unread) == ([LAMP, LAMP], [], [])


@pytest.mark.parametrize(
    "number",
    [
        *(
            "nan",
            "inf",
            "1_0",
            "0x1",
            "\uff11",
            "1,0",
            "1e0",
            "+1",
            "--1",
            "1.5",
            "1.0.0",
            '="1"',
            "1 0",
        ),
        *("99999999999", "-1", "9" * 5_000, "\u00a01"),
    ],
)
def test_a_count_is_digits_alone(path: Path, number: str) -> None:
    quoted = '"' + number.replace('"', '""') + '"'
    path.write_text(f"{HEADING}\nlamp,1,2,,2026-11-20\nlamp,1,{quoted},,2026-11-20\n")
    rows, rejects, _ = read(source(path))
    assert rows == [LAMP]
    [(line, said)] = [each for each in reasons(rejects) if "impressions must" in each[1]]
    assert line == 3
    assert "must be an integer from 0 to 2147483647, is" in said


@pytest.mark.parametrize(
    ("number", "right"),
    [("0.5", True), (".5", True), ("5e-1", True), (" 0.50 ", True), ("", True)]
    + [(each, False) for each in ("nan", "inf", "-inf", "0_0.5", "0.\uff15", "50%", "0,5", "1e999")]
    + [("0." + "5" * 50, False), (".", False), ("+0.5", False)],
)
def test_a_rate_is_a_number(path: Path, number: str, right: bool) -> None:
    path.write_text(f'{HEADING}\nlamp,1,2,"{number}",2026-11-20\nlamp,1,2,0.5,2026-11-20\n')
    rows, rejects, _ = read(source(path))
    assert rows == ([LAMP, LAMP] if right else [LAMP])
    assert [line for line, _ in reasons(rejects)] == ([] if right else [2])


@pytest.mark.parametrize(
    ("lines", "taken", "said"),
    [
        (['"lamp,1,2', "a,1,2", "b,1,2"], ["a", "b"], {2: "opens a quoted field that does not"}),
        (['"lamp,1,2', "a,1,2", '"b",1,2'], ["a", "b"], {2: "opens a quoted field that does not"}),
        (['c,1,"2', "a,1,2", 'b,1,"2"'], ["a", "b"], {2: "opens a quoted field that does not"}),
        (['27" screen,1,2', '"a""b",1,2'], ['27" screen', 'a"b'], {}),
        (['"a', 'b"c,1,2', "d,1,2"], ["d"], {2: "(lines 2 to 3)"}),
        (['"a', 'b",1', "d,1,2"], ["d"], {2: "has 2 fields, the heading has 3 (lines 2 to 3)"}),
        (["a, b,1,2", "d,1,2"], ["d"], {2: "a field that holds ',' stands in quotes"}),
    ],
)
def test_a_quote_that_does_not_end_costs_its_own_line(
    path: Path, lines: list[str], taken: list[str], said: Mapping[int, str]
) -> None:
    path.write_text("\n".join(["search_query,clicks,impressions", *lines]))
    for size in (1, 1_000):
        rows, rejects, _ = read(source(path, block_bytes=size, dated=False), day=DAY)
        assert [row[0] for row in rows] == taken
        assert [line for line, _ in reasons(rejects)] == list(said)
        assert all(said[line] in why for line, why in reasons(rejects))


def test_a_quote_without_end_in_a_long_file_costs_its_own_line(path: Path) -> None:
    row = "lamp,1,2,,2026-11-20\n"
    path.write_text(f'{HEADING}\n{row}"{row}{row * 70_000}"sofa",1,2,,2026-11-20\n')
    for size in (65_536, 10**6):
        rows, rejects, _ = read(source(path, block_bytes=size))
        assert len(rows) == 70_002
        assert reasons(rejects) == [(3, "opens a quoted field that does not end")]


def test_the_apostrophe_of_an_export_is_taken_away(path: Path) -> None:
    path.write_text("search_query,clicks,impressions\n'=lamp,1,2\n''-,1,2\n'tis,1,2\n")
    rows, _, _ = read(source(path, dated=False), day=DAY)
    assert [row[0] for row in rows] == ["=lamp", "'-", "'tis"]


def test_each_line_of_json_is_read_by_itself(path: Path) -> None:
    members = '"search_query": "lamp", "clicks": 1, "impressions": 2'
    other = '"search_date": "2026-11-21"'
    path.write_text(
        f'oops\n{{{members}}}\n{{{members}, {other}}}\n{{{members}, "search_date": null}}\n'
    )
    for size in (1, 1_000):
        file = source(path, form="ndjson", dated=False, block_bytes=size)
        rows, rejects, _ = read(file, day=DAY)
        assert [row[4] for row in rows] == [DAY, date(2026, 11, 21), DAY]
        assert [line for line, _ in reasons(rejects)] == [1]
    rows, rejects, _ = read(source(path, form="ndjson", block_bytes=1_000))
    assert [row[4] for row in rows] == [date(2026, 11, 21)]
    assert reasons(rejects)[1:] == [(2, "/search_date is missing"), (4, "/search_date is missing")]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('"clicks": 1', "has the field 'clicks' twice"),
        ('"note": 1, "note": 1', "has the field 'note' twice"),
        ('"n\\u006fte": 1, "note": 1', "has the field 'note' twice"),
        ('"note" :1, "note": 1', "has the field 'note' twice"),
        ('"note": {"a": 1, "a": 1}', "has the field 'a' twice"),
        ('"note": NaN', "has NaN, which JSON does not know"),
        ('"note": -Infinity', "which JSON does not know"),
        ('"note": ' + "1" * 5_000, "has a number of 5000 digits; 40 are read at most"),
        ('"note": 0.' + "1" * 50, "has a number of 51 digits"),
        ('"note": 1e999', "beyond a double's range"),
        ('"note": ' + "[" * 101 + "]" * 101, "is nested more than 100 deep"),
        ('"note": ' + '{"a":' * 101 + "1" + "}" * 101, "is nested more than 100 deep"),
    ],
)
def test_a_line_that_is_not_strictly_json_is_a_reject(path: Path, more: str, said: str) -> None:
    good = '{"search_query":"lamp","clicks":1,"impressions":2}'
    path.write_text(f"{good}\n{good[:-1]},{more}}}\n{good}\n")
    rows, rejects, _ = read(source(path, form="ndjson", dated=False, block_bytes=100_000), day=DAY)
    assert rows == [LAMP, LAMP]
    [(line, why)] = reasons(rejects)
    assert line == 2
    assert said in why


def test_rejects_are_json_whatever_stands_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rejects"
    odd = {"a": math.nan, "b": [-math.inf, b"\xff", None, True], "\ud800": "\ud800", "d": DAY}
    rejects = [RejectedRow(line=7, row=odd, reasons=[Violation(pointer="/a", detail="\udc00")])]
    assert RejectedRowFile(path).write(rejects) == path.stat().st_size
    assert read_json(path.read_bytes()) == {
        "line": 7,
        "row": {
            "a": "nan",
            "b": ["-inf", "b'\\xff'", None, True],
            "\\ud800": "\\ud800",
            "d": "2026-11-20",
        },
        "reasons": [{"pointer": "/a", "detail": "\\udc00"}],
    }


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"PAR1", "parquet"),
        (b'\xef\xbb\xbf\n {"a": 1}', "ndjson"),
        (gzip.compress(b'{"a": 1}', mtime=0), "ndjson"),
        (gzip.compress(b"a,b", mtime=0), "csv"),
        (b"", "csv"),
    ],
)
def test_the_format_is_told_by_the_beginning(path: Path, content: bytes, form: str) -> None:
    path.write_bytes(content)
    assert form_of(path, "clicks") == form


def test_what_is_packed_otherwise_is_named(path: Path) -> None:
    path.write_bytes(bz2.compress(b"a,b"))
    with pytest.raises(InvalidInput) as caught:
        form_of(path, "stdin")
    assert caught.value.violations[0].pointer == "stdin"


def test_a_file_that_grows_while_it_is_read_is_refused(path: Path) -> None:
    path.write_text(f"{HEADING}\n" + "lamp,1,2,,2026-11-20\n" * 20)
    blocks = source(path).blocks(ReadPosition())
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
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_goes_on_from_any_place_where_a_block_ends(
    path: Path, rows: list[AcceptedRow], wrong: list[str], size: int, data: st.DataObject
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
    before: list[AcceptedRow] = []
    for block in blocks:
        before += check_rows(block, None)[0]
        assert before + read(source(path, block_bytes=size), block.end)[0] == whole_rows
