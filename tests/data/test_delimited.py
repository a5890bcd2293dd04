"""Text tables: dialects, encodings and damage, each with its line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reparam.data import delimited
from reparam.data.delimited import read_delimited
from reparam.errors import DataError

ROWS = "1,2\n3,4\n"


def read(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(tmp_path / name)


def cells(part):
    return {name: part.column(name).to_pylist() for name in part.names}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,b\n" + ROWS, "t.csv"),
        ("a,b\n" + ROWS.strip(), "t.csv"),
        ("\n\na,b\n\n1,2\n\n\n3,4\n\n", "t.csv"),
        (("a,b\n" + ROWS).replace("\n", "\r\n"), "t.csv"),
        (("a,b\n" + ROWS).replace("\n", "\r"), "t.csv"),
        (b"\xef\xbb\xbfa,b\n" + ROWS.encode(), "t.csv"),
        (' "a" , b \n"1","2"\n3,4\n', "t.csv"),
        ("a\tb\n1\t2\n3\t4\n", "t.tsv"),
        ("a\tb\n1\t2\n3\t4\n", "T.TSV"),
    ],
)
def test_one_table_in_many_ways(tmp_path, content, name):
    part = read(tmp_path, content, name)
    assert cells(part) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert (part.num_rows, part.notes) == (2, ())


@pytest.mark.parametrize(
    ("content", "name", "word"),
    [
        ("a;b\n1;2\n3;4\n", "t.csv", "semicolons"),
        ("a\tb\n1\t2\n3\t4\n", "t.csv", "tabs"),
        ("a,b\n1,2\n3,4\n", "t.tsv", "commas"),
        ('"a,a,a";b\n1;2\n3;4\n', "t.csv", "semicolons"),
    ],
)
def test_another_separator_is_taken_and_noted(tmp_path, content, name, word):
    part = read(tmp_path, content, name)
    assert part.num_rows == 2
    assert len(part.names) == 2
    assert part.notes == (f"{name}: fields are separated by {word}",)


def test_cells_stay_text(tmp_path):
    part = read(tmp_path, 'a,b\n007,"x, ""y""\nz"\n,NULL\n')
    assert cells(part) == {"a": ["007", ""], "b": ['x, "y"\nz', "NULL"]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "the file is empty"),
        ("\n \n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (ROWS, r"line 1: the first line holds only numbers \(1,2\).*no header line.*for instance x0,x1$"),
        ("\n1,2,3,4,5\n", r"line 2: .*\(1,2,3,4,\.\.\.\).*x0,x1,x2,x3,\.\.\.$"),
        ("a,b,a\n1,2,3\n", "line 1: more than one column has the name 'a'"),
        ("a,b\n1,2\n3,\x004\n", "line 3: a NUL byte"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), "line 3: the byte 0xe9 is not UTF-8"),
        ("a,b\n1,2\n\n1,2,3\n", "line 4: expected 2 fields as in the header, found 3: '1,2,3'"),
        ('a,b\n"1\n",2\n\r\n3\n', "line 5: expected 2 fields as in the header, found 1: '3'"),
        ("a,b\n" + ROWS * 50 + "5\n", "line 102: expected 2 fields"),
        ("a,b\n1,5,2,5\n", "found 4: '1,5,2,5'.*decimal commas"),
        ('a,b\n1,2\n3,"4\n', r"line 3: a quote \(\"\) is opened and never closed"),
        ('a,b\n1,"2\n' + ROWS * 20, r"line 2: a quote \(\"\) is opened and never closed"),
        ("a," + "x" * 200_000 + "\n1,2\n", "column names cannot be read: field larger"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, content, match):
    with pytest.raises(DataError, match=match) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))


def test_a_line_longer_than_a_block_is_refused_or_read(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", 100)
    with pytest.raises(DataError, match=r"t\.csv: cannot be read as a table"):
        read(tmp_path, "a,b\n" + ROWS * 10 + "1," + "x" * 1000 + "\n" + ROWS * 200)


def test_a_million_characters_in_a_field_are_read(tmp_path):
    assert read(tmp_path, f"a,b\n1,{'x' * 10**6}\n").column("b")[0].as_py() == "x" * 10**6


def test_a_quote_inside_a_field_is_a_character(tmp_path):
    part = read(tmp_path, 'a,b\n5" pipe,1\n2,3\n')
    assert cells(part) == {"a": ['5" pipe', "2"], "b": ["1", "3"]}
    assert part.line_of(1) == 3


def test_a_header_alone_has_no_rows(tmp_path):
    for content in ("a,b", "a,b\n", "a,b\n\n\n"):
        assert read(tmp_path, content).num_rows == 0


def test_the_line_of_a_row_counts_header_blank_and_quoted_lines(tmp_path):
    part = read(tmp_path, '\n"a\n1",b\n\n1,2\n3,"4\n4"\n\n5,6\n')
    assert part.names == ("a 1", "b")
    assert [part.line_of(row) for row in range(3)] == [5, 6, 9]


def test_columns_without_a_name_are_passed_on(tmp_path):
    assert read(tmp_path, ",a,\n1,2,3\n").names == ("", "a", "")


fields = st.text(st.sampled_from('a1 ,;"\n\r.'), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=8))
def test_quoted_tables_come_back_and_every_row_has_its_line(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("tables")
    text, lines = "a,b\n", []
    for row in rows:
        lines.append(1 + len(text.encode().splitlines()))
        text += ",".join('"' + field.replace('"', '""') + '"' for field in row) + "\n"
    part = read(folder, text)
    assert list(zip(*cells(part).values(), strict=True)) == rows
    assert [part.line_of(row) for row in range(len(rows))] == lines
