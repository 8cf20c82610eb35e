"""The settings of a connection."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models import Status
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms import config as module
from source_tyntec_sms.config import API_URL, Config, api_url
from unit_tests.helpers import LOGGER, config, source
from unit_tests.tyntec import KEY

UUID = "e74db8d4-77ad-4671-8feb-9bc76b0df188"
OLDER_ID = "12-75cfafba-8799-4f2b-8505-ece6af6abf01"
SPEC: dict[str, Any] = yaml.safe_load(Path(module.__file__).with_name("spec.yaml").read_text())


def problems(**settings: Any) -> str:
    """The message of a check with these settings, which sends no request."""
    result = source().check(LOGGER, config() | settings)
    assert result.status is Status.FAILED
    return str(result.message)


def test_the_form_has_the_settings_of_the_connector() -> None:
    form = SPEC["connectionSpecification"]
    assert list(form["properties"]) == list(Config.model_fields)
    for (name, field), shown in zip(
        Config.model_fields.items(), form["properties"].values(), strict=True
    ):
        assert shown["title"] == field.title
        assert shown.get("airbyte_secret", False) == (name == "api_key")
        assert (name in form["required"]) == field.is_required()
        assert field.is_required() or shown["default"] == field.default
        assert shown.get("maximum", module.MAX_WORKERS) == module.MAX_WORKERS


# The key


@pytest.mark.parametrize("key", ["k3y", "K" * 32, "!#$%&()*+,-./:;<=>?@[]^_{|}~"])
def test_a_key_is_printable_ascii(key: str) -> None:
    assert Config.parse(config(api_key=f" \t{key}\r\n")).api_key == key


@pytest.mark.parametrize(
    "key",
    ["", " ", UUID, UUID.upper(), "k 3y", "k\n3y", "k\x003y", "k\x7f", "kéy", "'k3y'", '"k', "k\\"],
)
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    message = problems(api_key=key)
    assert "'Tyntec API Key' (api_key)" in message
    assert "32 letters and digits" in message
    assert "request id" in message
    assert len(key) < 3 or key not in message


def test_a_key_is_masked_from_then_on() -> None:
    Config.parse(config(api_key=f" {KEY} "))
    assert filter_secrets(f"apikey: {KEY}") == "apikey: ****"


# Request ids


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([UUID, OLDER_ID, "A-b_1.2:3~4"], [UUID, OLDER_ID, "A-b_1.2:3~4"]),
        (["b", "a", "b", "a"], ["b", "a"]),
        (["a", "b a"], ["a", "b"]),
        (["a,b;c d\te\nf, g ;; h"], list("abcdefgh")),
        (["'a', 'b',"], ["a", "b"]),
        (['["a","b"]'], ["a", "b"]),
        (["('a'),(`b`),{c}"], ["a", "b", "c"]),
        ([" a ", "", " ", "''", "[]", ",;"], ["a"]),
    ],
)
def test_request_ids_are_taken_from_all_entries(entries: list[str], found: list[str]) -> None:
    assert Config.parse(config(*entries)).request_ids == found


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("a/b", "a/b"),
        ("..", ".."),
        ("a, ., b", "."),
        ("%2e%2e", "%2e%2e"),
        ("a?b=1", "a?b=1"),
        ("a\x00b", "a\x00b"),
        ("grüße", "gr??e"),
        ("a'b", "a'b"),
        (f"/{KEY}", "/****"),
        (KEY, "****"),
        ("x" * 99 + "/more", "x" * 99 + "/"),
    ],
)
def test_what_is_no_request_id_is_refused_by_name(entry: str, named: str) -> None:
    message = problems(message_request_id=entry)
    assert f"'SMS Message Request ID' (message_request_id) is not valid: {named} is no" in message
    message = problems(additional_message_request_ids=["a", "b", f"c {entry}"])
    assert f"(additional_message_request_ids, entry 3) is not valid: {named} is no" in message


@pytest.mark.parametrize("entry", ["", " ", ",", "[]", "''"])
def test_an_empty_first_setting_is_refused(entry: str) -> None:
    assert "'SMS Message Request ID' (message_request_id)" in problems(message_request_id=entry)


# All settings


def test_only_key_and_one_id_are_needed() -> None:
    given = {"api_key": KEY, "message_request_id": "a", "to": "+49123456789"}
    nulls = {"additional_message_request_ids": None, "num_workers": None}
    for settings in (given, given | nulls):
        parsed = Config.parse(settings)
        assert (parsed.request_ids, parsed.num_workers) == (["a"], 10)
    assert "'SMS Message Request ID'" in problems(message_request_id=None)


@pytest.mark.parametrize(("value", "workers"), [(1, 1), (40, 40), (10.0, 10)])
def test_the_number_of_workers_is_whole(value: float, workers: int) -> None:
    assert Config.parse(config(num_workers=value)).num_workers == workers


@pytest.mark.parametrize("value", [0, 41, -1, 1.5, "many", [], {}])
def test_other_numbers_of_workers_are_refused(value: object) -> None:
    assert "'Number of Concurrent Workers' (num_workers)" in problems(num_workers=value)


def test_one_error_lists_every_problem() -> None:
    wrong: dict[str, Any] = {"api_key": 5, "message_request_id": ["a"], "num_workers": 0}
    message = problems(additional_message_request_ids="a", **wrong)
    for field in Config.model_fields.values():
        assert f"'{field.title}'" in message


# The address


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("", API_URL),
        ("https://api.example:8443/", "https://api.example:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.2", "http://127.0.0.2"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_the_environment_can_set_the_address(
    monkeypatch: pytest.MonkeyPatch, url: str, used: str
) -> None:
    assert api_url() == API_URL == "https://api.tyntec.com"
    monkeypatch.setenv("TYNTEC_API_URL", url)
    assert api_url() == used


@pytest.mark.parametrize(
    "url",
    [
        "http://api.tyntec.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "https://user:secret@api.tyntec.com",
        "https://api.tyntec.com/path",
        "https://api.tyntec.com?to=1",
        "ftp://api.tyntec.com",
        "api.tyntec.com",
        " ",
    ],
)
def test_an_unsafe_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", url)
    assert "TYNTEC_API_URL must be an address like https://api.tyntec.com" in problems()
    assert "secret" not in problems()
