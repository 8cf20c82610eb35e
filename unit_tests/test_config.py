"""Which settings are accepted, and what is said of the others."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
import requests_mock
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources.utils.schema_helpers import check_config_against_spec_or_exit
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets, update_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from source_tyntec_sms import config as module
from source_tyntec_sms.config import Config, api_url
from unit_tests.conftest import JSON, LOGGER, config, source, streams

SPEC: ConnectorSpecification = source().spec(LOGGER)
FORM = SPEC.connectionSpecification
PROPERTIES: dict[str, dict[str, Any]] = FORM["properties"]
IDS = st.from_regex(r"[0-9a-zA-Z_.:-]{0,20}[0-9a-z]", fullmatch=True)
KEYS = st.from_regex(r"[A-Za-z0-9!#$%&()+,./:;=?@^_`{|}~*<>\[\]-]+", fullmatch=True)


def refusal(settings: dict[str, Any]) -> str:
    """Why `settings` are refused."""
    with pytest.raises(AirbyteTracedException) as error:
        Config.parse(settings)
    assert error.value.failure_type is not None
    assert error.value.failure_type.value == "config_error"
    assert error.value.message == str(error.value)
    return str(error.value)


def check(settings: dict[str, Any]) -> tuple[str | None, list[requests.PreparedRequest]]:
    """What `check` says and which requests it sent, of an API that knows every id."""
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, json={"status": "DELIVERED"})
        _, message = source().check_connection(LOGGER, settings)
        return message, list(api.request_history)


# The key


@given(st.text() | KEYS)
def test_any_text_as_key_is_refused_by_name_or_sent_as_it_is(key: str) -> None:
    message, sent = check(config(api_key=key))
    if message:
        assert "'Tyntec API Key' (api_key)" in message or "contains the API key" in message
        assert not sent
    else:
        assert sent[0].headers["apikey"] == key.strip()
        assert "\n" not in sent[0].headers["apikey"]


@pytest.mark.parametrize("key", ["k3y k3y", '"k3y"', "'k3y'", "k3y\\n", "k\0y", "k\x7fy", "kéy", "k\u200by", "k\ny"])
def test_a_key_with_a_character_that_no_key_has_is_refused(key: str) -> None:
    assert refusal(config(api_key=key)) == (
        "The setting 'Tyntec API Key' (api_key) contains a character that no key has (white space, a quotation mark, "
        "a backslash, or a control or non-ASCII character). Copy the key again, without anything around it."
    )


@pytest.mark.parametrize("name", ["api_key", "message_request_id"])
def test_half_of_a_character_in_a_setting_is_refused_by_its_name(name: str) -> None:
    assert f"({name}) " in refusal(config(**{name: "id\ud800"}))
    assert "a whole number" not in refusal(config(**{name: "id\ud800"}))


@pytest.mark.parametrize("key", ["", " ", "\t\r\n"])
def test_an_empty_key_is_refused(key: str) -> None:
    assert refusal(config(api_key=key)) == "The setting 'Tyntec API Key' (api_key) is empty."


@given(KEYS)
def test_a_key_is_masked_from_then_on_in_every_form_in_which_an_api_may_echo_it(key: str) -> None:
    update_secrets([])
    Config.parse(config(":", api_key=f" {key}\n") if key != ":" else config(api_key=key))
    percent_encoded = [quote(key, safe=safe) for safe in ("", "/", ":/")]
    base64 = [encode(key.encode()).decode() for encode in (b64encode, urlsafe_b64encode)]
    lower = [re.sub("%..", lambda code: code[0].lower(), form) for form in percent_encoded]
    unpadded = [form.rstrip("=") for form in base64]
    for form in [key, *percent_encoded, *lower, *base64, *unpadded, key.replace("/", "\\/")]:
        assert set(filter_secrets(f"[{form}]")) <= set("[*]")


def test_each_form_of_a_key_that_an_api_may_echo_is_masked_whole() -> None:
    update_secrets([])
    Config.parse(config(api_key="aB/c:d+e=="))
    for form in [
        "aB/c:d+e==", r"aB\/c:d+e==", "aB%2Fc%3Ad%2Be%3D%3D", "aB/c%3Ad%2Be%3D%3D", "aB/c:d%2Be%3D%3D",
        "aB%2fc%3ad%2be%3d%3d", "YUIvYzpkK2U9PQ==", "YUIvYzpkK2U9PQ",
    ]:  # fmt: skip
        assert filter_secrets(f"[{form}]") == "[****]"


@pytest.mark.parametrize("request_id", ["k3y-k3y", "id-k3y-k3y-1"])
def test_an_id_that_contains_the_key_is_refused_without_naming_it(request_id: str) -> None:
    for settings in (config(request_id), config("id-1", "id-2", request_id), config("id-1", f"id-2,{request_id}")):
        message = refusal(settings)
        assert message.endswith(" contains the API key. Enter the requestId of a sent SMS.")
        assert "k3y" not in message


# The request ids


@given(st.text())
def test_any_text_as_id_is_refused_by_name_or_stays_on_the_documented_path(request_id: str) -> None:
    message, sent = check(config(request_id))
    if message:
        assert "(message_request_id)" in message or "contains the API key" in message
        assert not sent
    else:
        url = urlsplit(sent[0].url or "")
        assert (url.scheme, url.netloc, url.query, url.fragment) == ("https", "api.tyntec.com", "", "")
        head, _, segment = url.path.rpartition("/")
        assert head == "/messaging/v1/messages"
        assert segment not in {"", ".", ".."}


@given(
    st.lists(
        st.lists(st.tuples(IDS, st.text(" ,;\n\r\t\u00a0", min_size=1)), min_size=1, max_size=4),
        max_size=4,
    ),
    st.text(" ,;\n"),
)
def test_ids_are_read_as_people_paste_them(entries: list[list[tuple[str, str]]], before: str) -> None:
    pasted = [before + "".join(request_id + separator for request_id, separator in entry) for entry in entries]
    ids = ["first", *(request_id for entry in entries for request_id, _ in entry)]
    assert Config.parse(config("first", *pasted)).request_ids == list(dict.fromkeys(ids))


@pytest.mark.parametrize("entry", ["id-1,id-2", "id-1; id-2", "id-1 id-2", "id-1\nid-2\n", "id-1,id-1"])
def test_several_ids_where_one_belongs_are_refused_saying_where_the_others_go(entry: str) -> None:
    assert refusal(config(entry)) == (
        "The setting 'SMS Message Request ID' (message_request_id) takes one request id. Enter the others in the "
        "setting 'Additional SMS Message Request IDs' (additional_message_request_ids)."
    )


@pytest.mark.parametrize("entry", [" id-1", "id-1\n", "\tid-1 ,", ";id-1;"])
def test_what_surrounds_a_single_id_is_dropped(entry: str) -> None:
    assert Config.parse(config(entry)).request_ids == ["id-1"]


@pytest.mark.parametrize("entry", ["", " ", ",;\n"])
def test_an_empty_entry_is_refused_by_its_number(entry: str) -> None:
    assert refusal(config(entry)) == "The setting 'SMS Message Request ID' (message_request_id) is empty."
    assert refusal(config("id-1", "id-2", entry)) == (
        "The setting 'Additional SMS Message Request IDs' (additional_message_request_ids), entry 2, is empty."
    )


@pytest.mark.parametrize("request_id", [".", "..", "id\0", "id\x1b[31m", "id\u200b"])
def test_an_id_that_would_leave_its_path_or_its_line_is_refused(request_id: str) -> None:
    assert "(message_request_id) is not a request id" in refusal(config(request_id))
    assert "entry 1, is not a request id" in refusal(config("id-1", f"id-2,{request_id}"))


def test_an_id_that_holds_a_slash_is_percent_encoded() -> None:
    _, sent = check(config("../../secret?a=b#c"))
    assert sent[0].url == "https://api.tyntec.com/messaging/v1/messages/..%2F..%2Fsecret%3Fa%3Db%23c"


# All settings together


@given(
    st.dictionaries(st.sampled_from(list(Config.model_fields)), JSON)
    | st.dictionaries(st.text(), JSON)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(Config.model_fields, JSON)).map(lambda some: config(**some))
)
def test_any_json_as_configuration_is_accepted_or_refused_in_plain_words(settings: dict[str, Any]) -> None:
    message, sent = check(settings)
    if message:
        assert not sent
        assert "setting '" in message or "contains the API key" in message
        assert message.endswith(".")
        assert "pydantic" not in message
        assert "Error" not in message or "Error" in json.dumps(settings)


# hypothesis also draws from the words of the source, and a part of a message is no value that it quotes.
WORDS = f"{FORM}{Path(module.__file__).read_text()}"
LONG_TEXT = st.text(min_size=12).filter(
    lambda text: len(text.strip()) >= 12 and text.strip() not in WORDS
) | st.sampled_from(['"quoted-key"', "https://example.com/quoted-key", "quoted\\key\\quoted"])
HIDDEN = LONG_TEXT | LONG_TEXT.map(lambda text: [text]) | LONG_TEXT.map(lambda text: {text: text})


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Config.model_fields, HIDDEN)), LONG_TEXT)
def test_a_message_never_quotes_the_value_of_a_setting(settings: dict[str, Any], same: str) -> None:
    for values in (settings, dict.fromkeys(Config.model_fields, same)):
        message, _ = check(values)
        for value in values.values():
            text = next(iter(value)) if isinstance(value, (list, dict)) else value
            assert text.strip() not in (message or "")


def test_every_problem_is_named_at_once() -> None:
    assert refusal({"additional_message_request_ids": ["", 5], "num_workers": "ten"}).split(". ") == [
        "The setting 'Tyntec API Key' (api_key) is missing",
        "The setting 'SMS Message Request ID' (message_request_id) is missing",
        "The setting 'Additional SMS Message Request IDs' (additional_message_request_ids), entry 1, is empty",
        "The setting 'Additional SMS Message Request IDs' (additional_message_request_ids), entry 2, must be a string",
        "The setting 'Number of Concurrent Workers' (num_workers) must be a whole number from 1 to 40.",
    ]


@pytest.mark.parametrize("wrong", [5, True, ["k3y"], {"a": "b"}])
def test_a_setting_of_another_type_is_refused(wrong: Any) -> None:
    assert refusal(config(api_key=wrong)) == "The setting 'Tyntec API Key' (api_key) must be a string."
    assert refusal(config(message_request_id=wrong)).endswith("(message_request_id) must be a string.")
    if not isinstance(wrong, list):
        message = refusal(config(additional_message_request_ids=wrong))
        assert message.endswith("(additional_message_request_ids) must be a list of strings.")


@pytest.mark.parametrize("wrong", [True, "10", 0, 41, -1, 2.5, 10**30, [10], {}])
def test_a_number_of_workers_that_is_none_is_refused(wrong: Any) -> None:
    assert refusal(config(num_workers=wrong)) == (
        "The setting 'Number of Concurrent Workers' (num_workers) must be a whole number from 1 to 40."
    )


def test_null_counts_as_missing() -> None:
    nothing: dict[str, Any] = dict.fromkeys(Config.model_fields)
    assert refusal(nothing) == (
        "The setting 'Tyntec API Key' (api_key) is missing. "
        "The setting 'SMS Message Request ID' (message_request_id) is missing."
    )
    settings = Config.parse({**nothing, "api_key": "k3y", "message_request_id": "id-1"})
    assert settings.request_ids == ["id-1"]
    assert settings.num_workers == 10


# Settings that this connector does not know


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("additional_message_request_id", "additional_message_request_ids"),
        ("message_request_ids", "message_request_id"),
        ("messageRequestId", "message_request_id"),
        ("apikey", "api_key"),
        ("num_worker", "num_workers"),
    ],
)
def test_an_unknown_setting_is_a_warning_that_names_the_nearest_known_one(name: str, known: str) -> None:
    assert list(Config.parse(config(**{name: "value"})).warnings) == [
        f"The setting {name} is unknown and ignored. Did you mean {known}?"
    ]


def test_an_unknown_setting_unlike_any_other_is_a_warning_that_lists_the_known_ones() -> None:
    assert list(Config.parse(config(zone="value")).warnings) == [
        f"The setting zone is unknown and ignored. The settings are {', '.join(PROPERTIES)}."
    ]


@pytest.mark.parametrize("name", ["to", "from", "message"])
def test_a_setting_of_the_earlier_connector_is_a_warning_that_names_the_migration_guide(name: str) -> None:
    settings = Config.parse(config(**{name: "+49123456789"}))
    assert settings.num_workers == 10
    (warning,) = settings.warnings
    assert warning == (
        f"The setting {name} is unknown and ignored. It belongs to the earlier connector. See the migration guide: "
        f"{SPEC.documentationUrl}"
    )


def test_an_unknown_setting_whose_name_holds_half_of_a_character_is_a_warning() -> None:
    (warning,) = Config.parse(config(**{"zone\ud800": 1})).warnings
    assert warning.startswith("The setting zone? is unknown and ignored.")


def test_neither_a_known_setting_nor_airbytes_own_is_a_warning() -> None:
    assert not list(Config.parse(config("id-1", "id-2", num_workers=3, __injected_declarative_manifest={})).warnings)


@pytest.mark.parametrize("name", [name for name in dir(Config) if not name.startswith("_")])
def test_an_unknown_setting_of_any_name_does_no_harm(name: str) -> None:
    settings = Config.parse({name: "value", **config("id-1", "id-2")})
    assert settings.request_ids == ["id-1", "id-2"]
    assert len(list(settings.warnings)) <= 1


# The form


def test_the_form_is_json_schema_draft_07_with_a_description_of_each_setting() -> None:
    Draft7Validator.check_schema(FORM)
    assert [each["order"] for each in PROPERTIES.values()] == list(range(len(PROPERTIES)))
    for each in PROPERTIES.values():
        assert each["title"]
        assert each["description"].endswith(".")
    assert [name for name, each in PROPERTIES.items() if each.get("airbyte_secret")] == ["api_key"]


def test_the_form_and_the_settings_have_the_same_names_requirements_and_defaults() -> None:
    fields = Config.model_fields
    assert list(PROPERTIES) == list(fields)
    assert FORM["required"] == [name for name, field in fields.items() if field.is_required()]
    defaults = {name: each["default"] for name, each in PROPERTIES.items() if "default" in each}
    assert defaults == {name: field.get_default() for name, field in fields.items() if not field.is_required()}
    assert FORM["additionalProperties"] is True


def test_the_form_and_the_settings_have_the_same_limits() -> None:
    least, most = PROPERTIES["num_workers"]["minimum"], PROPERTIES["num_workers"]["maximum"]
    assert [Config.parse(config(num_workers=number)).num_workers for number in (least, most)] == [least, most]
    for number in (least - 1, most + 1):
        assert f"a whole number from {least} to {most}." in refusal(config(num_workers=number))


def test_the_examples_of_the_form_are_accepted() -> None:
    for name, each in PROPERTIES.items():
        for example in each.get("examples", []):
            Config.parse(config(**{name: example}))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Config.model_fields, JSON)), st.booleans())
def test_what_the_form_refuses_is_refused_here_too_but_for_null(some: dict[str, Any], complete: bool) -> None:
    settings = config(**some) if complete else some
    try:
        check_config_against_spec_or_exit({name: each for name, each in settings.items() if each is not None}, SPEC)
    except AirbyteTracedException:
        refusal(settings)


# The address


@pytest.mark.parametrize(
    "url",
    ["https://api.tyntec.com", "https://gateway.example:8443", "http://127.0.0.1:8080", "http://localhost:1",
     "http://[::1]:8080", "http://127.9.9.9", "https://a:65535"],
)  # fmt: skip
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_address_that_is_allowed_is_used(monkeypatch: pytest.MonkeyPatch, url: str, slash: str) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", url + slash)
    assert api_url() == url
    assert {stream.url_base for stream in streams().values()} == {f"{url}/"}


def test_without_an_address_tyntecs_own_is_used() -> None:
    assert api_url() == "https://api.tyntec.com"


@pytest.mark.parametrize(
    "url",
    ["http://128.0.0.1", "http://127.0.0.1:0", "http://localhost.example", "http://127.0.0.1.example", "https://a/b", "https://a?b",
     "https://a#b", "https://a:b@c", "http://127.0.0.1\\@evil.example", "//api.tyntec.com", "https:api", "file:///etc",
     "https://a\n.b", "https://a:65536", "https://a:", "", "https://a//", "http://api.tyntec.com"],
)  # fmt: skip
def test_an_address_that_is_not_allowed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", url)
    message, sent = check(config())
    assert not sent
    assert message is not None
    assert message.startswith("The environment variable TYNTEC_API_URL must be an address like https://api.tyntec.com")
    with pytest.raises(AirbyteTracedException):
        streams()
