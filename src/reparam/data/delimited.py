"""Reading ``.csv`` and ``.tsv`` as columns of text: nothing is guessed, and every fault has a line number."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from reparam.data.cells import numbers
from reparam.data.parts import Part, check_names
from reparam.errors import DataError

__all__ = ["read_delimited"]

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_BLOCK_BYTES = 2**24
# One record: quoted fields may hold line breaks, and a quote inside an unquoted field is a plain character.
_RECORD = re.compile(rb'(?:(?<![^,;\t\r\n])"(?:[^"]|"")*"|[^\r\n])*(?:\r\n|\r|\n|\Z)')


def read_delimited(path: str | Path) -> Part:
    """The columns of a text table, every cell as text.

    The first line that is not blank names the columns. Fields are separated by tabs in ``.tsv`` and commas
    otherwise, unless the header has more of another of comma, semicolon and tab (then ``notes`` says so).
    Fields may be quoted with ``"``. Blank lines are skipped. The encoding is UTF-8, with or without a byte
    order mark.

    Args:
        path: the file.

    Raises:
        DataError: empty; NUL bytes or another encoding; no header; duplicate names; an open quote; a line
            with more or fewer fields than the header; a line longer than 16 MiB.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    data = _utf8(path.read_bytes(), str(path))
    header_end, header_line = _header_end(data)
    if header_end == 0:
        raise DataError(f"{path}: the file is empty; expected a line of column names, then one line a row")
    header = data[:header_end].decode().strip("\r\n")
    natural = "\t" if path.suffix.lower() == ".tsv" else ","
    delimiter = _delimiter(header, natural)
    names = _names(header, delimiter, f"{path}, line {header_line}")
    body = data[header_end:]
    first_line = len(data[:header_end].splitlines()) + 1

    def line_of(row: int) -> int:
        return first_line + _lines_before(body, row)

    table = _parse(body, names, delimiter, str(path), line_of)
    notes = () if delimiter == natural else (f"{path.name}: fields are separated by {_DELIMITERS[delimiter]}",)
    position = {name: index for index, name in enumerate(names)}
    return Part(
        where=str(path),
        names=names,
        num_rows=table.num_rows,
        column=lambda name: table.column(position[name]),
        line_of=line_of,
        notes=notes,
    )


def _utf8(data: bytes, where: str) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{where}: the text is UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise DataError(f"{where}, line {line}: a NUL byte: not a text file, or a damaged one; save it as UTF-8 text")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    return data


def _header_end(data: bytes) -> tuple[int, int]:
    """Where the first line that is not blank ends, and its number (from 1); ``(0, 0)`` if there is none."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    record = _RECORD.match(data, start)
    if record is None or not data.strip():
        return 0, 0
    return record.end(), len(data[:start].splitlines()) + 1


def _delimiter(header: str, natural: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max([natural, *_DELIMITERS], key=unquoted.count)


def _names(header: str, delimiter: str, where: str) -> tuple[str, ...]:
    try:
        (fields,) = csv.reader([re.sub(r"\r\n|\r|\n", " ", header)], delimiter=delimiter, skipinitialspace=True)
    except csv.Error as error:
        raise DataError(f"{where}: the line of column names cannot be read: {error}") from error
    names = tuple(field.strip() for field in fields)
    if isinstance(numbers(pa.chunked_array([list(names)])), np.ndarray):
        raise DataError(
            f"{where}: the first line holds only numbers ({_joined(names, delimiter)}), so the file seems "
            "to have no header line. Add a first line that names the columns, for instance "
            f"{_joined([f'x{index}' for index in range(len(names))], delimiter)}"
        )
    check_names(names, where)
    return names


def _joined(fields: Sequence[str], delimiter: str) -> str:
    return delimiter.join([*fields[:4], *(["..."] if len(fields) > 4 else [])])


def _parse(body: bytes, names: tuple[str, ...], delimiter: str, where: str, line_of: Callable[[int], int]) -> pa.Table:
    ragged: list[pa.csv.InvalidRow] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    if not body.strip(b"\r\n"):
        return pa.table([pa.array([], pa.string())] * len(names), names=list(names))
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(body),
            # One thread: only then does a refused row know its number.
            read_options=pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=b'"' in body, invalid_row_handler=refuse
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if not ragged:
            raise DataError(f"{where}: cannot be read as a table: {str(error)[:200]}") from error
        row = ragged[0]
        raise DataError(
            f"{where}, line {line_of(row.number - 1)}: expected {row.expected_columns} fields as in the "
            f"header, found {row.actual_columns}: {_shortened(row.text)}; a field may need quotes, a quote "
            "may not be closed, or numbers may have decimal commas (write 3.5, not 3,5)"
        ) from error
    _check_last_quote(table, body, where, line_of)
    return table


def _check_last_quote(table: pa.Table, body: bytes, where: str, line_of: Callable[[int], int]) -> None:
    """Arrow takes a quote that is never closed to hold the rest of the file; refuse that."""
    if body.count(b'"') % 2 == 0:
        return
    last = table.column(table.num_columns - 1)[-1].as_py().replace('"', '""')
    if body.endswith(b'"' + last.encode()):
        raise DataError(f'{where}, line {line_of(table.num_rows - 1)}: a quote (") is opened and never closed')


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _lines_before(body: bytes, row: int) -> int:
    """Lines of the body before the record numbered ``row`` (from 0); blank lines are no records."""
    quote = body.find(b'"')
    plain_end = len(body) if quote < 0 else body.rfind(b"\n", 0, quote) + 1
    lines = 0
    for line in body[:plain_end].splitlines():  # where nothing is quoted a record is a line
        if line and row == 0:
            return lines
        row -= bool(line)
        lines += 1
    for record in _RECORD.finditer(body, plain_end):
        content = record.group().strip(b"\r\n")
        if content and row == 0:
            return lines
        row -= bool(content)
        lines += max(1, len(record.group().splitlines()))
    return lines
