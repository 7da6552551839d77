"""CSV files: whole or not at all, and never while they are written."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts.crm import Crm, open_crm
from accounts.errors import Forbidden, Malformed, Unreachable
from accounts.facts import Record
from tests.contract.rigs import parsed_crm, small_pages
from tests.contract.world import ACCOUNT, now

HEADER = "key,stripe_customer,name,mrr\r\n"


def opened(path: Path, **changes: Any) -> Crm:
    source = parsed_crm({"type": "csv", "path": str(path), **changes}, Path("/"))
    return open_crm("file", source, now=now)


def read(crm: Crm) -> list[Record]:
    return [record for page in crm.pages(ACCOUNT) for record in page.rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crm.csv"


def test_columns_that_bear_our_names_need_no_fields(path: Path) -> None:
    path.write_text(HEADER + '1,cus_1,"Ada, Ltd",149.90\r\n\r\n2,,"two\nlines",\r\n', newline="")
    first, second = read(opened(path))
    assert (first.name, str(first.mrr)) == ("Ada, Ltd", "149.90")
    assert (second.stripe_customer, second.name, second.mrr) == (None, "two\nlines", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_named_encoding_is_read_with_its_mark(path: Path, encoding: str) -> None:
    path.write_text(HEADER + "1,cus_1,Müller,1\n", encoding=encoding)
    named = "utf-8" if encoding == "utf-8-sig" else encoding
    (record,) = read(opened(path, encoding=named))
    assert (record.key, record.name) == ("1", "Müller")


def test_another_delimiter_is_read(path: Path) -> None:
    path.write_text("key;stripe_customer;name\n1;cus_1;a,b\n")
    (record,) = read(opened(path, delimiter=";"))
    assert record.name == "a,b"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "empty, even of its header", id="empty"),
        pytest.param(HEADER.encode() + b"1,cus_1\n", "line 2 has 2 columns, the header 4", id="short row"),
        pytest.param(HEADER.encode() + b"1,cus_1,a,1,extra\n", "5 columns", id="long row"),
        pytest.param(HEADER.encode() + b'1,cus_1,"open,1\n', "not CSV", id="an open quote"),
        pytest.param(HEADER.encode() + b'1,cus_1,"a"b,1\n', "not CSV", id="a quote inside"),
        pytest.param(HEADER.encode() + b"1,cus_1,M\xfcller,1\n", "not utf-8 text", id="another encoding"),
        pytest.param(HEADER.encode() + b"1,cus_1," + b"x" * 200_000 + b",1\n", "not CSV", id="a huge field"),
        pytest.param(b"key,key,stripe_customer\n1,1,cus_1\n", "twice", id="a column twice"),
        pytest.param(b"id;customer\n1;cus_1\n", "no column “key”", id="no key"),
        pytest.param(HEADER.encode() + b",cus_1,a,1\n", "has no key", id="a row without key"),
        pytest.param(HEADER.encode() + b"1,cus_1,a,lots\n", "mrr is “lots”", id="no amount"),
        pytest.param(HEADER.encode() + b"1,cus_1,a,1\n1,cus_1,b,1\n", "stands twice", id="a key twice"),
        pytest.param(HEADER.encode() + b"1\x00,cus_1,a,1\n", "key is", id="a zero byte"),
    ],
)
def test_a_file_that_is_not_whole_is_a_sentence(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    with pytest.raises(Malformed, match=says) as found:
        read(opened(path))
    assert str(found.value).startswith("CRM file: ")


def test_all_rows_were_observed_before_the_file_was_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    path.write_text(HEADER + "".join(f"{number},cus_{number},a,1\n" for number in range(40)))
    clock = itertools.count()
    source = parsed_crm({"type": "csv", "path": str(path)}, Path("/"))
    crm = open_crm("file", source, now=lambda: now() + timedelta(seconds=next(clock)))
    assert {page.observed_at for page in crm.pages(ACCOUNT)} == {now()}


def test_a_file_of_only_a_header_is_an_empty_source(path: Path) -> None:
    path.write_text(HEADER)
    assert read(opened(path)) == []


@pytest.mark.parametrize("way", ["appended", "cut", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read_is_an_error(
    path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    path.write_text(HEADER + "".join(f"{number},cus_{number},a,1\n" for number in range(40)))
    pages = opened(path).pages(ACCOUNT)
    next(pages)
    match way:
        case "appended":
            with path.open("a") as file:
                file.write("41,cus_41,a,1\n")
        case "cut":
            path.write_text(HEADER)
        case "replaced":
            path.rename(path.with_suffix(".old"))
            path.write_text(HEADER)
        case "removed":
            path.unlink()
    with pytest.raises(Unreachable):
        list(pages)


def test_a_file_that_is_missing_or_a_folder_is_unreachable(path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        read(opened(path))
    path.mkdir()
    with pytest.raises(Unreachable, match="directory"):
        read(opened(path))


def test_a_file_that_may_not_be_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path, *args: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # the tests may run as root, to whom nothing is forbidden
    with pytest.raises(Forbidden, match="may not be read"):
        read(opened(path))
