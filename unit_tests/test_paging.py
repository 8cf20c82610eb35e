"""Pages of a list that may change while it is read, and whose paging is not fully documented."""

import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_tyntec_sms import paging
from source_tyntec_sms.paging import Pages

Row = dict[str, Any]
Serve = Callable[[dict[str, int]], list[Row]]
HANDFUL = 2 * paging.OVERLAP


def read(serve: Serve, page_size: int = 30, total: Callable[[list[Row]], Any] = len) -> tuple[list[Row], int, Pages]:
    """The rows that are emitted, how many requests that took, and the pages."""
    pages, rows, requests = Pages(page_size), [], 0
    while pages.params:
        page = serve(pages.params)
        requests += 1
        assert requests < 500, "the paging does not end"
        rows += pages.new_rows(page, total(page))
    return rows, requests, pages


def server(rows: list[Row], mode: str = "from 0", most: int = 10_000) -> Serve:
    """An API with these rows, which may change, and at most so many in an answer."""

    def serve(params: dict[str, int]) -> list[Row]:
        size = min(params["size"], most)
        first = 1 if mode == "from 1" else 0
        start = 0 if mode == "ignored" else (params.get("page", first) - first) * size
        return rows[start : start + size] if start >= 0 else []

    return serve


def unlike(count: int) -> list[Row]:
    """Rows of registrations of one number each."""
    return [{"requestId": str(number)} for number in range(count)]


def numbers(count: int) -> list[Row]:
    """Rows with a phone number, which differ in nothing else."""
    return [{"requestId": "r", "phoneNumber": f"+49{number}"} for number in range(count)]


MODES = st.sampled_from(["from 0", "from 1"])


@given(st.integers(0, 100), st.integers(1, 30), MODES, st.booleans(), st.sampled_from([unlike, numbers]))
def test_every_row_comes_once(
    count: int, most: int, mode: str, announced: bool, make: Callable[[int], list[Row]]
) -> None:
    rows = make(count)
    total: Callable[[list[Row]], Any] = (lambda _: count) if announced else len
    assert read(server(rows, mode, most), 30, total)[0] == rows


@given(st.lists(st.integers(1, 6), max_size=20), MODES)
def test_numbers_alike_in_every_field_are_all_kept(groups: list[int], mode: str) -> None:
    rows = [{"requestId": str(group)} for group, length in enumerate(groups) for _ in range(length)]
    assert read(server(rows, mode), 30)[0] == rows


@given(
    st.integers(40, 120),
    st.sampled_from(["from 0", "from 1", "ignored"]),
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["add", "remove", "change"]), st.integers(0, 119)), max_size=4
    ),
    st.sampled_from([unlike, numbers]),
)
def test_no_number_is_lost_and_a_handful_repeated_while_rows_are_added_removed_or_changed(
    count: int, mode: str, changes: list[tuple[int, str, int]], make: Callable[[int], list[Row]]
) -> None:
    rows = make(min(count, 90) if mode == "ignored" else count)  # what is beyond the only page cannot be read
    lasting = {str(row) for row in rows}
    serve, requests = server(rows, mode), 0

    def changing(params: dict[str, int]) -> list[Row]:
        nonlocal requests
        requests += 1
        for request, what, place in changes:
            if request != requests or place >= len(rows):
                continue
            if what == "add":
                rows.insert(place, {"requestId": f"new {requests} {place}", "phoneNumber": f"new {requests} {place}"})
            elif what == "remove":
                lasting.discard(str(rows.pop(place)))
            else:
                lasting.discard(str(rows[place]))
                rows[place] = {**rows[place], "status": "changed"}
        return [dict(row) for row in serve(params)]

    read_rows, asked, _ = read(changing, 100)
    emitted = Counter(row.get("phoneNumber", row["requestId"]) for row in read_rows)
    assert {str(row) for row in read_rows} >= lasting
    assert sum(emitted.values()) - len(emitted) <= HANDFUL
    assert asked <= 2 + 3


@pytest.mark.parametrize("mode", ["from 0", "from 1", "ignored"])
@pytest.mark.parametrize("make", [unlike, numbers])
def test_a_field_that_changes_with_every_answer_makes_no_row_new(mode: str, make: Callable[[int], list[Row]]) -> None:
    rows, ticks = make(100), cycle(range(1_000_000))
    serve = server(rows, mode)
    read_rows, asked, _ = read(lambda params: [{**row, "seen": next(ticks)} for row in serve(params)], 3000)
    assert [row["requestId"] for row in read_rows] == [row["requestId"] for row in rows]
    assert asked <= 3


def test_numbers_of_one_registration_are_read_up_to_the_announced_total() -> None:
    rows: list[Row] = [{"requestId": "r"}] * 75
    assert read(server(rows), 30, lambda _: 75)[0] == rows


def test_without_a_total_a_full_page_that_comes_again_ends_the_list_and_is_noted() -> None:
    rows, _, pages = read(server([{"requestId": "r"}] * 75, "ignored"), 30)
    assert len(rows) == 30
    assert pages.repeated_full_page


@pytest.mark.parametrize("size", ["75", 75])
def test_the_announced_total_may_be_a_number_or_a_string(size: Any) -> None:
    rows, _, pages = read(server(unlike(75)), 30, lambda _: size)
    assert rows == unlike(75)
    assert pages.announced == 75


def test_a_size_that_repeats_what_was_asked_for_announces_nothing() -> None:
    assert read(server(unlike(5), most=2), 30, lambda _: 30)[2].announced == 0


def test_a_short_list_that_comes_in_another_order_each_time_is_read_once() -> None:
    order = cycle([1, -1])
    assert read(lambda _: unlike(5)[:: next(order)], 3000)[0] == unlike(5)


def test_a_page_that_repeats_an_earlier_one_ends_the_list() -> None:
    rows = unlike(80)
    answers = iter([rows[0:40], rows[40:80], rows[0:40]])
    assert read(lambda _: next(answers), 40)[0] == rows


def test_a_list_that_is_shorter_than_announced_can_be_told() -> None:
    answers = iter([unlike(40), []])
    rows, _, pages = read(lambda _: next(answers), 40, lambda _: 100)
    assert (len(rows), pages.read, pages.announced) == (40, 40, 100)


def test_after_a_full_page_the_list_cannot_be_whole() -> None:
    pages = Pages(4)
    assert not pages.may_be_whole
    pages.new_rows(unlike(4), 4)
    assert not pages.may_be_whole
    pages.new_rows([{"requestId": "x"}], 1)
    assert pages.may_be_whole


def test_two_pages_of_40000_rows_take_no_second() -> None:
    started = time.process_time()
    read(server([{"requestId": str(number // 4)} for number in range(80_000)]), 40_000)
    assert time.process_time() - started < 3


def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("source_tyntec_sms.paging.MOST_REQUESTS", 20)
    with pytest.raises(AirbyteTracedException, match="without an end"):
        read(lambda params: [{"requestId": str(params.get("page"))}], 4)
