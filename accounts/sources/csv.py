"""Rows of a CSV file, streamed; a file that changes while it is read is not read."""

import codecs
import csv
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Generic, TextIO, TypeVar

from accounts.errors import Forbidden, Malformed, Unreachable
from accounts.sources import Page
from accounts.sources.configuration import Csv
from accounts.sources.shape import Shape, batches
from accounts.sources.values import shown

ROWS_PER_PAGE = 500
COLUMNS_MAX = 1_000

Row = TypeVar("Row")
_Version = tuple[int, int, int, int]


class CsvRows(Generic[Row]):
    def __init__(
        self,
        source: str,
        file: Csv,
        fields: Mapping[str, str] | None,
        needed: tuple[str, ...],
        shape: Shape[Row],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._file = file
        self._fields = fields
        self._needed = needed
        self._shape = shape
        self._now = now

    def pages(self) -> Iterator[Page[Row]]:
        """Every row there is, as of one moment: before the file was opened."""
        observed_at = self._now()
        path = self._file.path
        try:
            with path.open(encoding=_with_mark(self._file.encoding), errors="strict", newline="") as file:
                version = _version(os.fstat(file.fileno()))
                for number, batch in enumerate(batches(self._rows(file), ROWS_PER_PAGE), 1):
                    place = f"page {number} of the file (rows {(number - 1) * ROWS_PER_PAGE + 1} on)"
                    rows = self._shape.page(batch, self._source, place)
                    self._unchanged(version, os.fstat(file.fileno()))
                    yield Page(tuple(rows), tuple(rows.values()), observed_at)
                self._unchanged(version, os.fstat(file.fileno()))
            self._unchanged(version, path.stat())
        except PermissionError:
            raise Forbidden(
                f"{self._source}: the file {path} may not be read. Permit it to our user."
            ) from None
        except OSError as error:
            raise Unreachable(f"{self._source}: the file {path} cannot be read: {error.strerror}.") from None
        except UnicodeError:
            raise Malformed(
                f"{self._source}: the file {path} is not {self._file.encoding} text. Name its encoding."
            ) from None
        except csv.Error as error:
            raise Malformed(
                f"{self._source}: the file {path} is not CSV: {error}. Export it again."
            ) from None

    def _rows(self, file: TextIO) -> Iterator[dict[str, object]]:
        reader = csv.reader(file, delimiter=self._file.delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            raise Malformed(
                f"{self._source}: the file {self._file.path} is empty, even of its header. That is not an empty source."
            )
        columns = self._columns(header)
        for line in reader:
            if not line:
                continue
            if len(line) != len(header):
                raise Malformed(
                    f"{self._source}: line {reader.line_num} has {len(line)} columns, the header {len(header)}. "
                    "The file may have been cut off; export it again."
                )
            yield {ours: line[column] for ours, column in columns}

    def _columns(self, header: list[str]) -> tuple[tuple[str, int], ...]:
        names = [name.strip() for name in header]
        if len(names) > COLUMNS_MAX or len(set(names)) != len(names):
            raise Malformed(
                f"{self._source}: a column of the file stands twice in its header. Name each once."
            )
        fields = self._fields or {name: name for name in self._shape.parsers if name in names}
        missing = [theirs for theirs in fields.values() if theirs not in names]
        missing += [name for name in self._needed if name not in fields]
        if missing:
            raise Malformed(
                f"{self._source}: the file has no column {shown(missing[0])}. It has {shown(', '.join(names))}; "
                "correct fields, or its delimiter."
            )
        return tuple((ours, names.index(theirs)) for ours, theirs in fields.items())

    def _unchanged(self, before: _Version, after: os.stat_result) -> None:
        if before != _version(after):
            raise Unreachable(
                f"{self._source}: the file {self._file.path} changed while it was read. It is read again later; write "
                "it under another name and rename it."
            )


def _version(found: os.stat_result) -> _Version:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _with_mark(encoding: str) -> str:
    """UTF-8 with or without the byte order mark that spreadsheets put first."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
