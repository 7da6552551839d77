"""The benchmark of reads works, and what it claims beside speed holds on a small scale."""

from tests.bench.reads import measure


def test_the_reads_benchmark_reads_everything_in_memory_that_does_not_grow() -> None:
    told = measure(few=1_000, many=5_000, rounds=1)
    assert told["complete"]
    assert told["subscriptions"] == 5_000
    few, many = told["peak_mib_few"], told["peak_mib_many"]
    assert isinstance(few, float)
    assert isinstance(many, float)
    assert many - few < 6
