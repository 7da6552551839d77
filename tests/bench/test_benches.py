"""Every measurement comes to its end, and what it claims beside speed holds on a small scale, on both databases."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from daemon import logs
from daemon.bench import benches, places, reads
from daemon.bench.benches import Name
from daemon.bench.places import Place
from daemon.bench.result import Result
from daemon.cli import run
from daemon.store.errors import Unsuitable
from tests.databases import Server
from tests.store.conftest import DATABASES, server

__all__ = ["server"]

SPEED = ("ratio", "per_s", "_ms")  # what a small run on a busy machine says nothing about


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "sqlite":
        with places.files() as found:
            yield found
        return
    running: Server = request.getfixturevalue("server")
    with places.on(running.address) as found:
        yield found


def told(results: Iterator[Result]) -> list[dict[str, Any]]:
    """The lines, as whoever reads them gets them; what has a mark beside speed has reached it."""
    logs.configure("json", level=logging.WARNING)
    found = [json.loads(result.line()) for result in results]
    for each in found:
        of_speed = any(word in each.get("mark", "") for word in SPEED)
        assert of_speed or each.get("met", True), each
    return found


@pytest.mark.parametrize("name", benches.ON_A_DATABASE)
def test_a_measurement_on_a_database_comes_to_its_end(name: Name, place: Place) -> None:
    bench = benches.ON_A_DATABASE[name]
    found = told(bench.measure(place, bench.QUICK))
    assert {(each["bench"], each["database"]) for each in found} == {(name, place.name)}
    assert len({each["what"] for each in found}) == len(found)
    for each in found:
        assert each.get("complete", True)
        assert not each.get("lost"), each
        assert not each.get("not_acknowledged"), each
        assert ("ratio" in each) <= ("floor" in each)


@pytest.mark.parametrize("name", benches.WITHOUT)
def test_a_measurement_without_a_database_comes_to_its_end(name: Name) -> None:
    bench = benches.WITHOUT[name]
    (found,) = told(bench.measure(bench.QUICK))
    assert found["bench"] == name
    assert found["per_s"] > 0


def test_reading_takes_memory_that_does_not_grow() -> None:
    (found,) = told(reads.measure(reads.Sizes(few=1_000, many=5_000, rounds=1)))
    assert found["complete"]
    assert found["peak_mib_many"] - found["peak_mib_few"] < 6


def test_nothing_is_left_on_the_server(server: Server) -> None:
    with places.on(server.address) as place:
        place.fresh()
        assert databases(server)
    assert not databases(server)


def databases(server: Server) -> int:
    with psycopg.connect(server.address) as connection:
        found = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'reconciled_bench_%'")
        return int(found.fetchall()[0][0])


def test_a_file_is_no_server() -> None:
    with pytest.raises(Unsuitable, match="name a server"), places.on("sqlite:///reconciled.db"):
        pass


def test_a_server_that_does_not_answer_is_a_sentence() -> None:
    with (
        pytest.raises(Unsuitable, match="Name a server whose user may create databases"),
        places.on("postgresql://nobody@127.0.0.1:1/postgres") as place,
    ):
        place.fresh()


def test_the_command_prints_one_line_of_json_for_each_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "judge", "--quick"]) == 0
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    assert json.loads(line)["bench"] == "judge"
    assert "PostgreSQL is not measured" in told.err
