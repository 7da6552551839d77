"""How a slice goes on, ends, and is split."""

import pytest

from daemon.sweep.slices import Slice, advanced, lost, slice_of, split

DAY_S = 86_400
NOW = 1_780_000_000


def test_a_slice_ends_with_its_list_or_once_a_page_leads_beyond_it() -> None:
    piece = Slice("present", 0, since=1_000)
    going = advanced(piece, last_id="cus_1", oldest=1_500, has_more=True, objects=100)
    assert (going.after, going.at, going.objects, going.done) == ("cus_1", 1_500, 100, False)
    assert advanced(going, last_id="cus_2", oldest=999, has_more=True, objects=3).done
    assert advanced(going, last_id="cus_2", oldest=1_400, has_more=False, objects=3).done


def test_a_second_that_fills_a_whole_page_does_not_end_a_slice() -> None:
    piece = Slice("present", 0, since=1_000, after="cus_1", at=1_000)
    assert not advanced(piece, last_id="cus_2", oldest=1_000, has_more=True, objects=100).done


def test_a_page_of_which_nothing_is_understood_leaves_the_time_where_it_was() -> None:
    piece = Slice("present", 0, after="cus_1", at=1_500)
    going = advanced(piece, last_id="cus_9", oldest=None, has_more=True, objects=0)
    assert (going.after, going.at) == ("cus_9", 1_500)


def test_a_slice_whose_cursor_is_gone_goes_on_in_the_second_of_the_cursor() -> None:
    piece = Slice("present", 0, since=10, before=2_000, after="cus_1", at=1_500)
    assert lost(piece) == Slice("present", 0, since=10, before=1_501, at=1_500)


def test_the_halves_of_a_slice_are_what_was_left_of_it_and_nothing_twice() -> None:
    piece = Slice("present", 0, after="cus_1", at=NOW - DAY_S, objects=100)
    halves = split(piece, number=4, floor=NOW - 101 * DAY_S, span_s=DAY_S)
    assert halves is not None
    younger, older = halves
    assert (younger.after, younger.objects) == ("cus_1", 100)
    assert younger.since == older.before
    assert (older.since, older.number, older.after) == (0, 4, None)
    assert older.before == NOW - 51 * DAY_S


@pytest.mark.parametrize(
    "piece",
    [
        Slice("present", 0),  # nothing is known of it
        Slice("present", 0, after="cus_1", at=NOW, done=True),
        Slice("present", 0, after="cus_1", at=NOW - 98 * DAY_S),  # three pages left
    ],
)
def test_a_slice_of_which_little_is_left_is_not_split(piece: Slice) -> None:
    assert split(piece, number=1, floor=NOW - 101 * DAY_S, span_s=DAY_S) is None


def test_a_second_is_never_split() -> None:
    piece = Slice("present", 0, since=NOW - 1, after="cus_1", at=NOW)
    assert split(piece, number=1, floor=0, span_s=0) is None


def test_a_slice_is_what_it_was_after_it_was_written_down() -> None:
    piece = Slice("open", 3, since=5, before=9, after="in_1", at=8, objects=7, done=True)
    assert slice_of(piece.text()) == piece
