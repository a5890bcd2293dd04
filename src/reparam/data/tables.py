"""Examples from tables: ``.csv``, ``.tsv`` and ``.parquet`` files, folders of such parts, data frames.

Numeric columns only; text is refused with its place, never turned into a missing value, and never guessed at.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from reparam.data.cells import Problem, labels, numbers
from reparam.data.checks import check_not_empty, zero_one
from reparam.data.delimited import read_delimited
from reparam.data.parts import Part, check_names
from reparam.data.schema import Column, Examples, Schema
from reparam.errors import DataError, UsageError, suggestion

__all__ = ["TABLE_SUFFIXES", "examples_from_table", "read_table", "table_files"]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")

MAX_CELLS = 2**30
"""Most cells (rows times kept columns) that are read from parquet: 8 GiB as ``float64``."""


def read_table(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    condition: Sequence[str] = (),
) -> Examples:
    """Examples from a table file, or a folder of parts of one type with the same columns, in order of name.

    Args:
        path: a ``.csv``, ``.tsv`` or ``.parquet`` file, or a folder of them.
        columns: names of the columns to keep, in any order; all if ``None``.
        label: name of the column that becomes the labels and is left out of the values.
        condition: names of the columns that are given, and left out of the values: numbers, or text (classes).
            ``"label"`` is the column of the labels.

    Returns:
        Examples with ``values`` ``[N, D]`` ``float64``, columns in the order of the file; ``uint8`` with 2
        levels if every value is 0 or 1.

    Raises:
        DataError: a cell that is text, missing or infinite (names column, row and line); no header; duplicate
            or unknown names; a line with too many or too few fields; columns that are constant or of a type
            that holds no numbers; no rows; damaged parquet; parts that do not match.
        UsageError: ``columns`` that is empty, repeats a name, or names the label or what is given.
        OSError: a file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "t.csv")
        ...     _ = path.write_text("height,kind\\n" + "".join(f"{n}.5,k{n % 2}\\n" for n in range(10)))
        ...     examples = read_table(path, label="kind")
        >>> examples.values.shape, examples.labels[:3]
        ((10, 1), array(['k0', 'k1', 'k0'], dtype='<U2'))
    """
    return _examples(_open(path), str(path), columns, label, condition)


def _open(path: str | Path) -> list[Part]:
    path = Path(path)
    files = table_files(path) if path.is_dir() else [path]
    suffixes = {file.suffix.lower() for file in files}
    if len(suffixes) > 1 or not suffixes <= set(TABLE_SUFFIXES):
        raise DataError(
            f"{path}: expected parts of one type of {', '.join(TABLE_SUFFIXES)}, found {', '.join(sorted(suffixes))}"
        )
    if not files:
        raise DataError(f"{path}: no {', '.join(TABLE_SUFFIXES)} file in this folder")
    return [_open_parquet(file) if suffixes == {".parquet"} else read_delimited(file) for file in files]


def table_files(folder: str | Path) -> list[Path]:
    """The table files directly in a folder, in order of name; those named ``.*`` or ``_*`` do not count.

    Args:
        folder: an existing folder.
    """
    files = sorted(Path(folder).iterdir(), key=lambda file: file.name)
    return [
        file for file in files if file.suffix.lower() in TABLE_SUFFIXES and file.name[0] not in "._" and file.is_file()
    ]


def read_columns(source: Any, names: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Some columns of a table file or data frame, ``[N]`` each: ``float64`` where all cells are numbers, else text.

    Raises:
        DataError: a column is not there, or has missing cells; what :func:`read_table` refuses of a file.

    Example:
        >>> read_columns(pa.table({"age": [40, 50], "sex": ["f", "m"], "more": [0, 0]}), ["sex", "age"])
        {'sex': array(['f', 'm'], dtype='<U1'), 'age': array([40., 50.])}
    """
    parts = _open(source) if isinstance(source, str | Path) else [_part(source)]
    for part in parts[1:]:
        _check_same_columns(part, parts[0])
    check_not_empty(sum(part.num_rows for part in parts), str(source) if len(parts) > 1 else parts[0].where)
    _check_known(parts[0], names)
    return {name: _numbers_or_text(parts, name) for name in names}


def examples_from_table(
    table: Any,
    *,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    condition: Sequence[str] = (),
) -> Examples:
    """Examples from a pyarrow table, a pandas data frame (without its index), or anything with Arrow's stream
    interface, such as a polars data frame.

    Args:
        table: the table.
        columns: see :func:`read_table`.
        label, condition: see :func:`read_table`.

    Raises:
        DataError: see :func:`read_table`.
        UsageError: not a table, or ``columns`` as in :func:`read_table`.

    Example:
        >>> table = pa.table({"a": [0.5 * n for n in range(10)], "b": [n * n for n in range(10)]})
        >>> examples_from_table(table, columns=["b"]).values[:3, 0]
        array([0., 1., 4.])
    """
    return _examples([_part(table)], "table", columns, label, condition)


def _part(table: Any) -> Part:
    try:
        if isinstance(table, pa.Table):
            table.validate(full=True)
        elif hasattr(table, "iloc"):
            check_names([str(name) for name in table.columns], "table")
            table = pa.Table.from_pandas(table, preserve_index=False)
        elif hasattr(table, "__arrow_c_stream__"):
            table = pa.table(table)
        else:
            raise UsageError(f"expected a table (pyarrow, pandas, polars), got {type(table).__name__}")
    except pa.ArrowException as error:
        raise DataError(f"table: a column holds values of several types or is damaged: {error}") from error
    names = tuple(str(name) for name in table.column_names)
    check_names(names, "table")
    return Part("table", names, table.num_rows, lambda name: table.column(names.index(name)))


def _open_parquet(path: Path) -> Part:
    with path.open("rb"):
        pass  # a missing permission is an OSError; whatever follows is the content
    try:
        file = pa.parquet.ParquetFile(path, page_checksum_verification=True)
        names = tuple(str(name) for name in file.schema_arrow.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    check_names(names, str(path))
    types = dict(zip(names, file.schema_arrow.types, strict=True))

    def column(name: str) -> pa.ChunkedArray:
        if pa.types.is_nested(types[name]):
            return pa.chunked_array([], types[name])
        try:
            table = file.read(columns=[name])
            table.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error, f", column '{name}'") from error
        if table.num_rows != file.metadata.num_rows:
            raise DataError(f"{path}, column '{name}': expected {file.metadata.num_rows} rows, found {table.num_rows}")
        return table.column(0)

    return Part(str(path), names, file.metadata.num_rows, column)


def _damaged(path: Path, error: BaseException, place: str = "") -> DataError:
    return DataError(f"{path}{place}: not a readable parquet file (damaged or truncated?): {str(error)[:200]}")


def _examples(
    parts: list[Part], where: str, columns: Sequence[str] | None, label: str | None, condition: Sequence[str]
) -> Examples:
    for part in parts[1:]:
        _check_same_columns(part, parts[0])
    label = "label" if label is None and "label" in condition else label
    condition = [str(label) if name == "label" else name for name in condition]
    names = _kept(parts[0], columns, label, condition)
    num_rows = sum(part.num_rows for part in parts)
    check_not_empty(num_rows, where)
    if num_rows * len(names) > MAX_CELLS:
        raise DataError(
            f"{where}: {num_rows} rows of {len(names)} columns are more than the limit of {MAX_CELLS} cells; "
            "keep fewer columns with `columns`, or fewer rows"
        )
    values = np.concatenate([_numeric(part, names, label) for part in parts])
    found = None
    if label is not None:
        found = _all_labels(parts, label)
    given = {
        name: found if found is not None and name == label else _numbers_or_text(parts, name) for name in condition
    }
    binary = zero_one(values)
    schema = Schema(
        "table",
        (len(names),),
        levels=2 if binary else None,
        binary=binary,
        columns=tuple(Column(name) for name in names),
        label=label,
    )
    notes = tuple(note for part in parts for note in part.notes)
    return Examples(values.astype(np.uint8) if binary else values, schema, labels=found, given=given, notes=notes)


def _check_same_columns(part: Part, first: Part) -> None:
    if part.names == first.names:
        return
    missing = [name for name in first.names if name not in part.names]
    more = [name for name in part.names if name not in first.names]
    detail = f"without {_quoted(missing)}; " * bool(missing) + f"with {_quoted(more)} besides; " * bool(more)
    raise DataError(
        f"{part.where}: the columns are not those of {first.where}: {detail or 'in another order; '}"
        "all parts must have the same columns in the same order"
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _check_known(part: Part, names: Sequence[str]) -> None:
    known = [name for name in part.names if name]
    for name in names:
        if name not in known:
            raise DataError(f"{part.where}: no column '{name}'; {suggestion(name, known)}")


def _kept(part: Part, columns: Sequence[str] | None, label: str | None, condition: Sequence[str]) -> list[str]:
    if columns is not None:
        if isinstance(columns, str) or not columns or len(set(columns)) < len(columns):
            raise UsageError(f"columns must be a list of different column names, got {columns!r}")
        if label in columns:
            raise UsageError(f"'{label}' is the label and so no value: take it out of columns")
        both = [name for name in condition if name in columns]
        if both:
            raise UsageError(f"{_quoted(both)} is in columns and in condition: a column is modelled or given, not both")
    _check_known(part, [*(columns or ()), *([] if label is None else [label]), *condition])
    besides = {label, *condition}
    kept = [name for name in part.names if name not in besides and (columns is None or name in columns)]
    if "" in kept:
        raise DataError(
            f"{part.where}: column {part.names.index('') + 1} has no name in the header; name it. If it only "
            "numbers the rows, write the file without it (pandas: index=False), or set `columns` to the "
            "names of the others"
        )
    if not kept:
        others = [f"the label '{label}'"] if label is not None else []
        others += [f"'{name}', which is given" for name in condition if name != label]
        raise DataError(
            f"{part.where}: no column is left for the values" + f" besides {' and '.join(others)}" * bool(others)
        )
    return kept


def _numeric(part: Part, names: list[str], label: str | None) -> np.ndarray[Any, Any]:
    read = {name: numbers(part.column(name)) for name in names}
    problems = {name: value for name, value in read.items() if isinstance(value, Problem)}
    if problems:
        raise _refusal(part, problems, [name for name in names if name not in problems], label)
    return np.stack([np.asarray(read[name]) for name in names], axis=1)


def _refusal(part: Part, problems: dict[str, Problem], clean: list[str], label: str | None) -> DataError:
    name, problem = next(iter(problems.items()))
    cell = f"{part.where}: column '{name}', {part.place(problem.row)}"
    count = f"({problem.count} of {part.num_rows} rows in all)"
    found = repr(problem.found if len(problem.found) <= 40 else problem.found[:37] + "...")
    said = {
        "text": f"{cell}: expected a number, found the text {found} {count}.",
        "missing": f"{cell}: a missing value, {found if problem.found else 'an empty cell'} {count}.",
        "infinite": f"{cell}: {found} is not a finite number {count}.",
        "type": f"{part.where}: column '{name}' is of type {problem.found}, which holds no numbers.",
    }[problem.kind]
    others = [other for other in problems if other != name]
    if others:
        said += f" Also not numeric throughout: {_quoted(others)}."
    fixes = _fixes(problem, name, clean, part.num_rows, label)
    return DataError(f"{said} What to do: {'; or '.join(fixes) or 'turn it into numbers'}")


def _fixes(problem: Problem, name: str, clean: list[str], num_rows: int, label: str | None) -> list[str]:
    fixes = []
    if problem.kind in ("missing", "infinite"):
        fixes.append("fill such cells in or remove their rows")
    elif problem.kind == "text" and _decimal_comma(problem.found):
        fixes.append("write numbers with a decimal point and no thousands separator (3.5, not 3,5)")
    elif problem.kind == "text" and 2 * problem.count < num_rows:
        fixes.append("correct such cells")
    elif problem.kind == "text" and label is None:
        fixes.append(f"make it the label with label = {json.dumps(name, ensure_ascii=False)}")
    if clean:
        kept = json.dumps(clean, ensure_ascii=False)
        fixes.append(
            f"leave columns out with columns = {kept} (a setting: in Python, or in the file given to --config)"
        )
    return fixes


def _decimal_comma(text: str) -> bool:
    return text.count(",") == 1 and text.lstrip("+-").replace(",", "").replace(".", "").isdigit()


def _all_labels(parts: list[Part], name: str) -> np.ndarray[Any, Any]:
    found = [labels(part.column(name), f"{part.where}, column '{name}'") for part in parts]
    if len({part.dtype.kind for part in found}) > 1:
        found = [part.astype(np.str_) for part in found]
    return np.concatenate(found)


def _numbers_or_text(parts: list[Part], name: str) -> np.ndarray[Any, Any]:
    """A column that is given: numbers, or classes where most cells are text."""
    read = [numbers(part.column(name)) for part in parts]
    problems = [(part, found) for part, found in zip(parts, read, strict=True) if isinstance(found, Problem)]
    if not problems:
        return np.concatenate([found for found in read if not isinstance(found, Problem)])
    num_text = sum(problem.count for _, problem in problems if problem.kind == "text")
    if 2 * num_text >= sum(part.num_rows for part in parts):
        return _all_labels(parts, name)
    part, problem = problems[0]
    raise _refusal(part, {name: problem}, [], name)
