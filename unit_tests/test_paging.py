"""Pages of a list whose paging is documented incompletely, and whose rows change while it is read."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_tyntec_sms import paging
from source_tyntec_sms.paging import Pages
from source_tyntec_sms.records import Row

PAGE_SIZE = 100  # in proportion to a page of 3,000 rows as few as a page of the tests may have
HANDFUL = 5
LARGEST_GROUP = 12  # numbers of one request


@dataclass(frozen=True)
class Change:
    """What happens to the list right before a request: at a share of its length, one number comes, goes or changes."""

    before: int
    what: str
    where: float


@dataclass
class Phonebook:
    """The API's list of phone numbers, as it might be served.

    requests: for each number the request that registered it. first: the number of the first page, None if the API
    ignores `page`. cap: the most rows of a page. fixed: whether a page has as many rows, whatever `size` asks for.
    announces: what the answer's `size` counts. numbered: whether a row has its phone number. restless: whether each
    answer brings another value of a field.
    """

    requests: list[int]
    first: int | None = 0
    cap: int = PAGE_SIZE
    fixed: bool = False
    announces: str = "page"
    numbered: bool = False
    restless: bool = False
    changes: Iterable[Change] = ()
    request_of: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.request_of = dict(enumerate(self.requests))
        self.rows: list[Row] = [self._row(number) for number in self.request_of]
        self.steady = set(self.request_of)
        self.answers = self.answers_since_the_end = 0

    def _row(self, number: int) -> Row:
        row: Row = {"number": number, "requestId": f"request-{self.request_of[number]}", "status": "ACTIVE"}
        return {**row, "phoneNumber": f"+{number}"} if self.numbered else row

    def _change(self, change: Change) -> None:
        place = int(change.where * len(self.rows))
        if change.what == "comes":
            number = len(self.request_of)
            self.request_of[number] = -number
            self.rows.insert(place, self._row(number))
        elif place < len(self.rows):
            if change.what == "goes":
                self.steady.discard(self.rows.pop(place)["number"])
            else:
                self.rows[place] = {**self.rows[place], "status": f"CHANGED-{self.answers}"}

    def answer(self, params: dict[str, int]) -> tuple[list[Row], Any]:
        """The rows of a page, each with its number, and what the answer says as `size`."""
        for change in self.changes:
            if change.before == self.answers:
                self._change(change)
        self.answers += 1
        size = self.cap if self.fixed else min(params["size"], self.cap)
        page = 0 if self.first is None else params.get("page", self.first) - self.first
        rows = self.rows[page * size : (page + 1) * size] if page >= 0 else []
        if self.first is None or (page + 1) * size >= len(self.rows) or self.answers_since_the_end:
            self.answers_since_the_end += 1
        answer = [{**row, "answer": self.answers} if self.restless else dict(row) for row in rows]
        return answer, {"page": len(rows), "list": len(self.rows), "nothing": None}[self.announces]

    def read(self, page_size: int = PAGE_SIZE) -> list[int]:
        """The numbers that `Pages` finds."""
        self.pages, found = Pages(page_size), list[int]()
        while self.pages.params and self.answers < 100:
            rows, size = self.answer(self.pages.params)
            numbers = {id(row): row.pop("number") for row in rows}
            found += [numbers[id(row)] for row in self.pages.new_rows(rows, size)]
        assert not self.pages.params
        return found


CHANGES = st.builds(
    Change, st.integers(1, 8), st.sampled_from(["comes", "goes", "changes"]), st.floats(0, 1) | st.sampled_from([0, 1])
)
# Most requests register one number. In a list of a few rows that are all alike, a handful of changes is most of it.
GROUPS = st.lists(st.integers(1, LARGEST_GROUP), max_size=30).map(lambda groups: [*[1] * 30, *groups])
SERVED: dict[str, Any] = {
    "announces": st.sampled_from(["page", "list", "nothing"]),
    "numbered": st.booleans(),
    "restless": st.booleans(),
    "changes": st.lists(CHANGES, max_size=HANDFUL),
}
CAPPED = {**SERVED, "cap": st.integers(PAGE_SIZE, 3 * PAGE_SIZE)}


def grouped(groups: list[int]) -> list[int]:
    """For each number its request, of requests that registered so many."""
    return [group for group, length in enumerate(groups) for _ in range(length)]


UNLIKE = st.integers(0, 400).map(lambda count: list(range(count)))
PHONEBOOKS = st.builds(
    Phonebook,
    UNLIKE | GROUPS.map(grouped),
    first=st.sampled_from([0, 1]),
    **CAPPED,
)


def check_that_all_were_found(phonebook: Phonebook, found: list[int]) -> None:
    """Each number that was there all the time was found, and a handful of them twice at most.

    Without phone numbers, those of one request cannot be told apart: as many of them count as the request has.
    """
    name: Callable[[int], int] = (lambda number: number) if phonebook.numbered else phonebook.request_of.__getitem__
    have = Counter(map(name, found))
    assert not Counter(map(name, phonebook.steady)) - have
    twice = (have - Counter(map(name, phonebook.request_of))).total()
    if phonebook.numbered or not phonebook.changes or len(set(phonebook.requests)) == len(phonebook.requests):
        assert twice == 0
    else:
        assert twice <= 2 * HANDFUL + LARGEST_GROUP


@given(PHONEBOOKS, st.sampled_from([PAGE_SIZE, 3 * PAGE_SIZE, 30 * PAGE_SIZE]))
def test_every_number_is_found_while_a_handful_of_them_change(phonebook: Phonebook, page_size: int) -> None:
    check_that_all_were_found(phonebook, phonebook.read(page_size))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [30, 50, 70, 99])
def test_every_number_is_found_although_many_come_before_it_at_once(first: int, count: int) -> None:
    phonebook = Phonebook(list(range(2000)), first, changes=[Change(3, "comes", 0)] * count, announces="nothing")
    assert set(phonebook.read(3000)) >= set(range(2000))


def test_numbers_of_one_request_at_the_border_of_two_pages_are_found_while_others_go() -> None:
    """What a border meets is rare: hypothesis does not find it, a few thousand lists do."""
    draw = random.Random(5)
    for _ in range(1500):
        groups = draw.choices([1, 1, 1, 2, 5, LARGEST_GROUP], k=draw.randint(50, 110))
        kinds = draw.choices(["goes", "changes"], k=draw.randint(1, HANDFUL))
        changes = [Change(draw.randint(1, 4), kind, draw.random()) for kind in kinds]
        cap, announces = draw.choice([100, 150, 300]), draw.choice(["page", "list", "nothing"])
        phonebook = Phonebook(grouped(groups), draw.choice([0, 1]), cap, announces=announces, changes=changes)
        check_that_all_were_found(phonebook, phonebook.read())


@given(PHONEBOOKS, st.sampled_from([PAGE_SIZE, 3 * PAGE_SIZE, 30 * PAGE_SIZE]))
def test_at_most_three_requests_go_beyond_the_last_page(phonebook: Phonebook, page_size: int) -> None:
    phonebook.read(page_size)
    come = sum(change.what == "comes" for change in phonebook.changes)
    assert phonebook.answers_since_the_end - 1 <= 3 + come
    assert phonebook.answers <= 4 + come + 1.5 * len(phonebook.request_of) / min(phonebook.cap, page_size)


@given(st.builds(Phonebook, UNLIKE | GROUPS.map(grouped), st.none(), fixed=st.booleans(), **CAPPED))
def test_a_page_that_is_always_the_first_is_read_once(phonebook: Phonebook) -> None:
    first = {row["number"] for row in phonebook.rows[: phonebook.cap if phonebook.fixed else PAGE_SIZE]}
    found = phonebook.read()
    assert first <= set(found)
    come = sum(change.what == "comes" for change in phonebook.changes)
    assert len(found) - len(first) <= 2 * HANDFUL
    assert phonebook.answers <= 4 + come


FEW_OR_MANY = st.integers(1, 7) | st.just(PAGE_SIZE)


@given(
    st.builds(Phonebook, st.integers(0, 40).map(lambda count: list(range(count))), first=st.sampled_from([0, 1]),
              cap=st.integers(1, 7), fixed=st.booleans(), **{**SERVED, "changes": st.just(())}),
    FEW_OR_MANY,
)  # fmt: skip
def test_a_list_that_does_not_change_is_read_in_order_each_row_once(phonebook: Phonebook, page_size: int) -> None:
    assert phonebook.read(page_size) == list(phonebook.request_of)
    if phonebook.announces == "list":
        assert phonebook.pages.announced <= len(phonebook.request_of)


@given(
    st.builds(Phonebook, UNLIKE, first=st.sampled_from([0, 1]), **{**CAPPED, "changes": st.just(())}),
    st.sampled_from([PAGE_SIZE, 3 * PAGE_SIZE, 30 * PAGE_SIZE]),
)
def test_a_list_that_was_read_to_its_end_is_not_taken_for_a_repeated_page(phonebook: Phonebook, page_size: int) -> None:
    phonebook.read(page_size)
    assert not phonebook.pages.repeated_full_page


@given(
    st.builds(Phonebook, UNLIKE, first=st.sampled_from([0, 1]), fixed=st.just(True), cap=st.just(PAGE_SIZE),
              **{**SERVED, "changes": st.lists(CHANGES.filter(lambda change: change.what != "goes"), max_size=HANDFUL)})
)  # fmt: skip
def test_pages_whose_size_cannot_be_chosen_lose_nothing_as_long_as_no_row_goes(phonebook: Phonebook) -> None:
    check_that_all_were_found(phonebook, phonebook.read())


@given(
    st.builds(Phonebook, st.lists(st.integers(1, 30), max_size=20).map(grouped), first=st.sampled_from([0, 1]),
              **{**CAPPED, "numbered": st.just(False), "changes": st.just(())}),
)  # fmt: skip
def test_numbers_alike_in_every_field_are_all_counted(phonebook: Phonebook) -> None:
    have = Counter(phonebook.request_of[number] for number in phonebook.read())
    assert have == Counter(phonebook.request_of.values())


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [1, 99, 100, 250, 300])
def test_a_list_of_rows_that_are_all_alike_is_read_whole_if_its_size_is_announced(first: int, count: int) -> None:
    assert len(Phonebook([0] * count, first, announces="list").read()) == count


@pytest.mark.parametrize("first", [0, 1, None])
def test_a_list_of_rows_that_are_all_alike_ends_after_a_page_if_its_size_is_not_announced(first: int | None) -> None:
    phonebook = Phonebook([0] * 250, first)
    assert len(phonebook.read()) == PAGE_SIZE
    assert phonebook.answers <= 4


def test_rows_without_number_and_request_are_told_apart_by_all_that_they_hold() -> None:
    pages = Pages(3)
    rows: list[Row] = [{"status": "a"}, {"status": "b", "requestId": ""}, {"status": "b", "phoneNumber": None}]
    assert pages.new_rows(rows, None) == rows
    assert pages.new_rows([rows[1], rows[2], {"status": "c"}], None) == [{"status": "c"}]


@pytest.mark.parametrize(
    "requests",
    [
        [number % 3300 for number in range(6500)],
        [number * 7 % 2011 for number in range(6500)],
        [0, *range(1, 5000), 0, *range(5000, 6000)],
    ],
    ids=["each twice", "in disorder", "one twice"],
)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("fixed", [False, True])
def test_numbers_of_one_request_on_different_pages_are_all_found(requests: list[int], first: int, fixed: bool) -> None:
    phonebook = Phonebook(requests, first, cap=3000, fixed=fixed, announces="nothing")
    assert phonebook.read(3000) == list(range(len(requests)))


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_requests_that_take_turns_are_all_found(first: int) -> None:
    requests = [number % 100 for number in range(3100)]
    assert Phonebook(requests, first, cap=3000, announces="nothing").read(3000) == list(range(len(requests)))


@pytest.mark.parametrize(("length", "first"), [(100, 0), (100, 1), (3000, 0)])
def test_a_list_that_has_another_order_each_time_ends(length: int, first: int) -> None:
    shuffle = random.Random(length).shuffle
    phonebook = Phonebook(list(range(length)), first, cap=3000)
    found: list[int] = []
    pages = Pages(3000)
    while pages.params and phonebook.answers < 20:
        shuffle(phonebook.rows)
        rows, size = phonebook.answer(pages.params)
        numbers = {id(row): row.pop("number") for row in rows}
        found += [numbers[id(row)] for row in pages.new_rows(rows, size)]
    assert set(found) == set(range(length))
    assert len(found) <= length + 20
    assert phonebook.answers <= 4


@pytest.mark.parametrize("first", [0, 1, None])
@pytest.mark.parametrize("length", [100, 3000, 6500])
def test_a_number_identifies_its_row_in_whatever_order_although_other_fields_change(
    first: int | None, length: int
) -> None:
    shuffle, answers = random.Random(length).shuffle, 0
    order = list(range(length if first is not None else 3000))

    def answer(params: dict[str, int]) -> list[Row]:
        nonlocal answers
        answers += 1
        if answers > 1:
            shuffle(order)
        start = 0 if first is None else (params.get("page", first) - first) * params["size"]
        return [{"phoneNumber": f"+{number}", "status": answers} for number in order[start : start + params["size"]]]

    numbers = [row["phoneNumber"] for row in read(answer, 3000)[0]]
    assert len(numbers) == len(set(numbers))
    assert length > 3000 or len(numbers) == length or first is None
    assert answers <= 5


def test_a_last_page_that_is_given_again_and_again_ends_the_list() -> None:
    rows, answers = unlike(2600), 0

    def answer(params: dict[str, int]) -> list[Row]:
        nonlocal answers
        answers += 1
        return rows[min(params.get("page", 0), 2) * 1000 :][:1000]

    assert read(answer, 1000)[0] == rows
    assert answers <= 5


def test_many_pages_of_a_size_of_their_own_are_all_read() -> None:
    rows = unlike(90_000)
    assert read(lambda params: rows[params.get("page", 0) * 100 :][:100], 100)[0] == rows


def test_the_order_of_the_fields_of_a_row_does_not_matter() -> None:
    pages = Pages(2)
    pages.new_rows([{"accountId": "a", "status": "b"}, {"accountId": "c", "status": "d"}], None)
    assert pages.new_rows([{"status": "b", "accountId": "a"}, {"status": "d", "accountId": "c"}], None) == []


@pytest.mark.parametrize("number", ["+491", "***", "unknown", " ", 0, False])
def test_rows_of_one_page_are_all_found_although_they_have_the_same_number(number: Any) -> None:
    rows: list[Row] = [{"phoneNumber": number, "requestId": str(place)} for place in range(30)]
    assert read(in_pages(rows), 3000)[0] == rows
    assert read(in_pages(rows), 20)[0] == rows


@pytest.mark.parametrize("name", ["requestId", "phoneNumber"])
def test_an_empty_string_identifies_no_row(name: str) -> None:
    rows: list[Row] = [{name: "", "friendlyName": str(place)} for place in range(130)]
    assert read(in_pages(rows), 60)[0] == rows


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_that_are_masked_hide_no_other(first: int) -> None:
    rows: list[Row] = [{"phoneNumber": "***" if 48 < place < 72 else f"+{place}"} for place in range(144)]

    def answer(params: dict[str, int]) -> list[Row]:
        size = min(params["size"], 50)
        return rows[(params.get("page", first) - first) * size :][:size]

    found = {row["phoneNumber"] for row in read(answer, 3000)[0]}
    assert found == {row["phoneNumber"] for row in rows}


def test_a_number_that_came_twice_on_a_page_identifies_no_row_of_the_next() -> None:
    rows: list[Row] = [{"phoneNumber": "***" if place in (0, 1, 75) else f"+{place}"} for place in range(100)]
    assert read(in_pages(rows), 60)[0] == rows


@pytest.mark.parametrize("places", [(5, 2995), (5, 6), (2995, 2996)])
def test_a_number_that_a_page_has_twice_comes_no_third_time(places: tuple[int, int]) -> None:
    rows: list[Row] = [{"phoneNumber": f"+{place}"} for place in range(7000)]
    rows[places[1]] = rows[places[0]]
    assert read(in_pages(rows), 3000)[0] == rows


# What is known of the list


def unlike(count: int) -> list[Row]:
    return [{"requestId": f"request-{number}"} for number in range(count)]


def read(answer: Callable[[dict[str, int]], list[Row]], page_size: int, size: Any = None) -> tuple[list[Row], Pages]:
    """The rows that were found, and the pages after the last of them."""
    pages, found = Pages(page_size), list[Row]()
    while pages.params:
        found += pages.new_rows(answer(pages.params), size)
    assert pages.read == len(found)
    return found, pages


def in_pages(rows: list[Row]) -> Callable[[dict[str, int]], list[Row]]:
    return lambda params: rows[params.get("page", 0) * params["size"] :][: params["size"]]


def test_the_first_request_names_no_page() -> None:
    assert Pages(3000).params == {"size": 3000}


@pytest.mark.parametrize("size", [7500, "7500", 7500.0])
def test_the_total_may_be_a_number_or_a_string(size: Any) -> None:
    rows, pages = read(in_pages(unlike(7500)), 3000, size)
    assert rows == unlike(7500)
    assert pages.announced == 7500


@pytest.mark.parametrize("size", [None, True, [], {}, "many", 5, 3000, "5"])
def test_a_size_that_counts_the_page_or_repeats_the_request_announces_nothing(size: Any) -> None:
    rows, pages = read(lambda params: unlike(5) if "page" not in params else [], 3000, size)
    assert rows == unlike(5)
    assert pages.announced <= 5


def test_the_most_rows_that_an_answer_announced_count() -> None:
    pages = Pages(2)
    for rows, size in ((unlike(2), 5), (unlike(4)[2:], 9), ([], 7)):
        pages.new_rows(rows, size)
    assert (pages.read, pages.announced, pages.params) == (4, 9, None)


def test_a_short_list_that_comes_in_another_order_each_time_is_read_once() -> None:
    order = cycle([1, -1])
    rows, pages = read(lambda _: unlike(5)[:: next(order)], 3000)
    assert rows == unlike(5)
    assert not pages.repeated_full_page


@pytest.mark.parametrize(("page_size", "full"), [(4, True), (3, True), (5, False), (3000, False)])
def test_a_page_that_comes_whichever_is_asked_for_is_a_full_page_repeated_if_it_was_full(
    page_size: int, full: bool
) -> None:
    rows, pages = read(lambda _: unlike(4), page_size)
    assert rows == unlike(4)
    assert pages.repeated_full_page == full


def test_a_last_page_that_is_asked_for_again_says_nothing() -> None:
    phonebook = Phonebook(list(range(114)))
    assert len(phonebook.read()) == 114
    assert not phonebook.pages.repeated_full_page


def test_a_page_that_overlaps_the_one_before_adds_only_what_is_new() -> None:
    rows = unlike(9)
    answers = iter([rows[0:4], rows[2:6], rows[5:9], []])
    assert read(lambda _: next(answers), 4)[0] == rows


def test_a_page_that_repeats_an_earlier_one_ends_the_list() -> None:
    rows = unlike(8)
    answers = iter([rows[0:4], rows[4:8], rows[0:4]])
    assert read(lambda _: next(answers), 4)[0] == rows


def test_an_answer_without_rows_may_end_the_list_after_a_page_that_is_not_full() -> None:
    pages = Pages(4)
    assert [pages.may_end_with(code) for code in (204, 404)] == [True, False]
    pages.new_rows(unlike(4), None)
    assert [pages.may_end_with(code) for code in (204, 404)] == [False, False]
    pages.new_rows(unlike(5)[4:], None)
    assert [pages.may_end_with(code) for code in (204, 404)] == [True, True]


def test_an_empty_list_needs_one_request() -> None:
    rows, pages = read(lambda _: [], 3000, 0)
    assert (rows, pages.read, pages.announced, pages.may_end_with(404)) == ([], 0, 0, True)


@pytest.mark.parametrize(
    ("size", "told"), [(1, "10,000 phone numbers on 10,000"), (5000, "105,000 phone numbers on 21")]
)
def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch, size: int, told: str) -> None:
    monkeypatch.setattr(paging, "MOST_ROWS", 100_000)
    pages = ([{"requestId": str(page * size + row)} for row in range(size)] for page in range(20_000))
    with pytest.raises(AirbyteTracedException, match=rf"tyntec gave {told} pages without an end\.") as error:
        read(lambda _: next(pages), size)
    assert error.value.failure_type is FailureType.system_error


@pytest.mark.parametrize("key", ["requestId", "phoneNumber"])
@pytest.mark.parametrize("alike", [False, True])
def test_large_pages_take_time_in_proportion_to_their_rows(key: str, alike: bool) -> None:
    rows = [{key: str(number // 1000 if alike else number)} for number in range(80_000)]
    pages = Pages(3000)
    start = time.process_time()
    pages.new_rows(rows[:40_000], None)
    pages.new_rows(rows[40_000:], None)
    assert time.process_time() - start < 4  # a quadratic search took 13 seconds


@pytest.mark.parametrize("first", [0, 1])
def test_a_list_that_grows_with_every_request_comes_to_an_end(first: int) -> None:
    rows = [{"requestId": str(number)} for number in range(7500)]
    pages, requests = Pages(3000), 0
    emitted: list[Row] = []
    while pages.params:
        requests += 1
        rows.insert(0, {"requestId": f"new {requests}"})
        start = (pages.params.get("page", first) - first) * pages.params["size"]
        emitted += pages.new_rows(rows[start : start + pages.params["size"]] if start >= 0 else [], None)
        assert requests <= 8
    assert {row["requestId"] for row in emitted} >= {str(number) for number in range(7500)}
