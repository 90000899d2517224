"""Tables as streams: what is read, what is refused, and where."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid, UnsupportedMedia
from shared.lines import MAX_RECORD, Refusal, Row
from shared.tabular import CSV, NDJSON, Batch, Writer, read_rows

COLUMNS = ("name", "mail", "note")


def read(data: bytes, media_type: str = CSV, size: int = 7) -> tuple[list[Row], list[Refusal]]:
    """All rows and refusals of an upload that comes in pieces of `size` bytes."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    async def collect() -> list[Batch]:
        return [batch async for batch in read_rows(chunks(), media_type, COLUMNS, ["name"], size=3)]

    batches = asyncio.run(collect())
    return [row for batch in batches for row in batch.rows], [refusal for batch in batches for refusal in batch.refusals]


def test_absent_columns_and_empty_cells_are_kept_apart() -> None:
    rows, _ = read(b"name,mail\r\na,\r\n")
    assert rows == [Row(2, {"name": "a", "mail": None})]


def test_quoted_cells_hold_anything_and_lines_are_counted() -> None:
    rows, refusals = read(b'\xef\xbb\xbfname,note\r\n"a,\r\nb","say ""hi"""\r\n\r\nc,\xc3\xa9')
    assert rows == [Row(2, {"name": "a,\r\nb", "note": 'say "hi"'}), Row(5, {"name": "c", "note": "é"})]
    assert refusals == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"a", "1 cells"),
        (b"a,b,c", "3 cells"),
        (b"\xff,b", "UTF-8"),
        (b"a\0,b", "NUL"),
        (b'"a"b,c', "not CSV"),
        (b'1,5" pipe', "not CSV"),
        (b'1,"5" pipe"', "not CSV"),
        (b"a\rb,c", "CR"),
        (b'"never closed,b', "quote"),
        (b"x" * (MAX_RECORD + 1) + b",b", "more than"),
        (b'"' + b"x\n" * MAX_RECORD + b'",b', "more than"),
    ],
)
@pytest.mark.parametrize("size", [13, 5000, 1 << 20])
def test_a_bad_line_is_refused_and_no_other(line: bytes, words: str, size: int) -> None:
    rows, refusals = read(b"name,mail\nfirst,1\n" + line + b"\nlast,2\n", size=size)
    assert rows[0] == Row(2, {"name": "first", "mail": "1"})
    assert rows[-1].values == {"name": "last", "mail": "2"}
    assert refusals[0].line == 3
    assert words in refusals[0].message


def test_a_quote_that_is_never_closed_refuses_one_line_whatever_comes_behind() -> None:
    behind = b'last,2\n"a,\nb",3\n'
    for more in (b"", behind, behind * 10_000):
        rows, refusals = read(b'name,mail\n"first,1\n' + behind + more, size=50_000)
        assert [row.values["name"] for row in rows[:2]] == ["last", "a,\nb"]
        assert refusals == [Refusal(2, "", "has a quote that is never closed")]


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"name,color\n", ["color"]),
        (b"name,name\n", ["name"]),
        (b"mail\n", ["name"]),
        (b"", []),
        (b"\xff\n", []),
        (b"na\0me\n", []),
        (b"x" * 70_000, []),
        (b"name,,mail\n", [""]),
    ],
)
def test_a_header_that_does_not_fit_refuses_the_file(data: bytes, fields: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        read(data, size=4096)
    assert [error.field for error in caught.value.errors] == fields


def test_ndjson_is_read_line_by_line() -> None:
    lines = [b'{"name": "a", "mail": null}', b"", b'{"name": 7, "note": true}', b'{"name": ""}\r']
    rows, refusals = read(b"\n".join(lines), NDJSON)
    assert rows == [Row(1, {"name": "a", "mail": None}), Row(3, {"name": "7", "note": "true"}), Row(4, {"name": None})]
    assert refusals == []


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"a"',
        b'{"name": "a", "color": 1}',
        b'{"mail": "a"}',
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": 1.5}',
        b'{"name": ["a"]}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
        b'{"name": "\xff"}',
        b"[" * 5000,
        b'{"name": "' + b"x" * MAX_RECORD + b'"}',
    ],
)
@pytest.mark.parametrize("size", [11, 1 << 20])
def test_a_bad_ndjson_line_is_refused_and_no_other(line: bytes, size: int) -> None:
    rows, refusals = read(b'{"name": "a"}\n' + line + b'\n{"name": "b"}', NDJSON, size)
    assert [row.line for row in rows] == [1, 3]
    assert [refusal.line for refusal in refusals] == [2]


def test_other_media_types_are_not_taken() -> None:
    with pytest.raises(UnsupportedMedia):
        read(b"", "text/plain")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.integers(1, 40), st.sampled_from([CSV, NDJSON]))
def test_what_is_written_reads_back(table: list[tuple[str, str, str]], size: int, media_type: str) -> None:
    writer = Writer(media_type, COLUMNS)
    rows, refusals = read(writer.head() + writer.rows(table), media_type, size)
    assert refusals == []
    assert [tuple(row.values[name] or "" for name in COLUMNS) for row in rows] == table


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50), st.sampled_from([CSV, NDJSON]))
def test_no_bytes_break_a_reader(data: bytes, size: int, media_type: str) -> None:
    rows, refusals = read(b"name,mail\n" + data, media_type, size)
    lines = [row.line for row in rows] + [refusal.line for refusal in refusals]
    assert len(lines) == len(set(lines))
    assert all(1 <= line <= data.count(b"\n") + 2 for line in lines)


WELL_FORMED = st.sampled_from(["", "a", "b c", '"d"', '"e, ""f"""', '"g\nh"', '"i,\r\n"'])
ON_ONE_LINE = st.sampled_from(["a", '"b"', 'c"', 'd"e"', '"f"g', "h\ri", "\xff", "\0"])
RECORDS = st.one_of(st.lists(WELL_FORMED, max_size=3), st.lists(ON_ONE_LINE, max_size=3))


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS.map(lambda cells: ",".join(cells).encode("latin-1") + b"\n"), max_size=8), st.integers(1, 40))
def test_what_is_said_of_a_record_depends_on_it_alone(records: list[bytes], size: int) -> None:
    rows: list[Row] = []
    refusals: list[Refusal] = []
    before = 0
    for record in records:
        alone = read(b"name,mail\n" + record)
        rows += [Row(row.line + before, row.values) for row in alone[0]]
        refusals += [refusal._replace(line=refusal.line + before) for refusal in alone[1]]
        before += record.count(b"\n")
    assert read(b"name,mail\n" + b"".join(records), size=size) == (rows, refusals)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_csv_means_what_the_standard_reader_says(table: list[tuple[str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("name", "mail"), *table])
    rows, _ = read(out.getvalue().encode())
    assert [(row.values["name"] or "", row.values["mail"] or "") for row in rows] == table


def test_values_are_written_in_their_own_form() -> None:
    assert Writer(CSV, ("a", "b", "c")).rows([(1, True, None)]) == b"1,true,\r\n"
    assert json.loads(Writer(NDJSON, ("a", "b", "c")).rows([(1, True, None)])) == {"a": 1, "b": True, "c": None}
