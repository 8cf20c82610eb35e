"""Pages of a list whose paging is documented by half."""

import logging
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_tyntec_sms.paging import Pages

Row = dict[str, Any]
Serve = Callable[[int | None], list[Row]]


def read(serve: Serve, page_size: int, size: Callable[[list[Row]], Any] = len) -> list[Row]:
    pages = Pages(page_size, logging.getLogger("test"))
    read: list[Row] = []
    page: int | None = None
    for _ in range(100):
        rows = serve(page)
        read += pages.new_rows(rows, size(rows))
        if pages.token is None:
            return read
        page = pages.token["page"]
    pytest.fail("the paging does not end")


def server(rows: list[Row], page_size: int, first: int) -> Serve:
    def serve(page: int | None) -> list[Row]:
        start = ((first if page is None else page) - first) * page_size
        return rows[start : start + page_size] if start >= 0 else []

    return serve


def unlike(count: int) -> list[Row]:
    return [{"requestId": str(number)} for number in range(count)]


@given(st.integers(0, 40), st.integers(1, 7), st.sampled_from([0, 1]), st.booleans())
def test_every_row_comes_once_whatever_the_first_page_is(count: int, page_size: int, first: int, total: bool) -> None:
    rows = unlike(count)
    size: Callable[[list[Row]], Any] = (lambda _: count) if total else len
    assert read(server(rows, page_size, first), page_size, size) == rows


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(3, 7), st.sampled_from([0, 1]))
def test_numbers_alike_in_every_field_are_all_kept(groups: list[int], page_size: int, first: int) -> None:
    """Groups are smaller than a page here: pages of nothing but the same row cannot be told apart."""
    rows = [{"requestId": str(group)} for group, length in enumerate(groups) for _ in range(min(length, page_size - 1))]
    pages = [rows[start : start + page_size] for start in range(0, len(rows), page_size)]
    straddling = any(
        before[-1] == after[0] and len({row["requestId"] for row in before}) == len(before)
        for before, after in pairwise(pages)
    )
    if not straddling:  # a page without two rows alike gives no hint that rows can be alike
        assert read(server(rows, page_size, first), page_size) == rows


@pytest.mark.parametrize("size", ["7500", 7500])
def test_the_size_of_the_list_may_be_a_number_or_a_text(size: Any) -> None:
    rows = unlike(7500)
    assert read(server(rows, 3000, 0), 3000, lambda _: size) == rows


@given(st.integers(0, 40), st.integers(1, 7), st.sampled_from([0, 1]), st.booleans())
def test_pages_smaller_than_asked_for_lose_no_row(count: int, page_size: int, first: int, total: bool) -> None:
    rows = unlike(count)
    size: Callable[[list[Row]], Any] = (lambda _: count) if total else len
    assert read(server(rows, page_size, first), 3000, size) == rows


def test_a_size_that_repeats_what_was_asked_for_says_nothing_of_the_list() -> None:
    assert read(server(unlike(5), 2, 0), 3000, lambda _: 3000) == unlike(5)


def test_a_short_list_that_comes_in_another_order_each_time_is_read_once(caplog: pytest.LogCaptureFixture) -> None:
    order = cycle([1, -1])
    assert read(lambda _: unlike(5)[:: next(order)], 3000) == unlike(5)
    assert not caplog.text


def test_a_page_that_overlaps_the_one_before_adds_only_what_is_new() -> None:
    rows = unlike(9)
    pages = {None: rows[0:4], 1: rows[2:6], 2: rows[5:9], 3: []}
    assert read(lambda page: pages[page], 4) == rows


def test_a_page_that_repeats_an_earlier_one_ends_the_list() -> None:
    rows = unlike(8)
    pages = {None: rows[0:4], 1: rows[4:8], 2: rows[0:4]}
    assert read(lambda page: pages[page], 4) == rows


def test_a_list_that_ends_with_an_empty_page_is_whole() -> None:
    rows = unlike(8)
    pages: dict[int | None, list[Row]] = {None: rows[0:4], 1: rows[4:8], 2: []}
    assert read(lambda page: pages[page], 4) == rows


def test_a_page_that_is_the_same_whichever_is_asked_for_is_read_once_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert read(lambda _: unlike(4), 4) == unlike(4)
    assert "only the first 4 phone numbers" in caplog.text


def test_fewer_rows_than_the_list_is_said_to_have_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    rows = unlike(6)
    pages: dict[int | None, list[Row]] = {None: rows[0:4], 1: rows[4:6], 2: []}
    assert read(lambda page: pages[page], 4, lambda _: 100) == rows
    assert "only the first 6 of 100 phone numbers" in caplog.text


def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("source_tyntec_sms.paging.MOST_PAGES", 20)
    with pytest.raises(AirbyteTracedException, match="without an end"):
        read(lambda page: [{"requestId": page}], 4)
