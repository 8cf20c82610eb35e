"""Which settings are accepted, and what is said of the others."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import requests_mock
from airbyte_cdk.sources.utils.schema_helpers import check_config_against_spec_or_exit
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets, update_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.settings import Settings, api_url

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BASE: dict[str, Any] = {"api_key": "k3y", "message_request_id": "id-1"}


def check(config: dict[str, Any]) -> tuple[str | None, list[requests.PreparedRequest]]:
    """What `check` says and which requests it sent, of an API that knows every id."""
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, json={"status": "DELIVERED"})
        _, message = SourceTyntecSms().check_connection(None, config)  # type: ignore[arg-type]
        return message, list(api.request_history)


@given(st.text())
def test_any_text_as_key_is_refused_by_name_or_sent_as_it_is(key: str) -> None:
    message, sent = check({**BASE, "api_key": key})
    if message:
        assert "'Tyntec API Key' (api_key)" in message or "was entered as an SMS Message Request ID" in message
        assert not sent
    else:
        assert sent[0].headers["apikey"] == key.strip()
        assert "\n" not in sent[0].headers["apikey"]


@given(st.from_regex(r"[A-Za-z0-9!#$%&()+,./:;=?@^_`{|}~-]+", fullmatch=True))
def test_a_key_is_masked_from_then_on_without_the_white_space_around_it(key: str) -> None:
    update_secrets([])
    Settings.parse({**BASE, "api_key": f" {key}\n", "message_request_id": f"not-{key}"})
    assert filter_secrets(f"[{key}]") == "[****]"


@given(st.text())
def test_any_text_as_id_is_refused_by_name_or_stays_on_the_documented_path(request_id: str) -> None:
    message, sent = check({**BASE, "message_request_id": request_id})
    if message:
        assert "(message_request_id)" in message or "was entered as" in message
        assert not sent
    else:
        url = urlsplit(sent[0].url or "")
        assert (url.scheme, url.netloc, url.query, url.fragment) == ("https", "api.tyntec.com", "", "")
        head, _, segment = url.path.rpartition("/")
        assert head == "/messaging/v1/messages"
        assert segment not in {"", ".", ".."}


@given(st.dictionaries(st.sampled_from(list(Settings.model_fields)), JSON) | st.dictionaries(st.text(), JSON))
def test_any_json_as_configuration_is_accepted_or_refused_in_plain_words(config: dict[str, Any]) -> None:
    message, sent = check(config)
    if message:
        assert not sent
        assert "setting '" in message or "was entered as" in message
        assert "pydantic" not in message
        assert "Error" not in message or "Error" in json.dumps(config)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Settings.model_fields, JSON)))
def test_what_the_form_of_airbyte_refuses_is_refused_here_too(config: dict[str, Any]) -> None:
    try:
        check_config_against_spec_or_exit(config, SourceTyntecSms().spec(None))  # type: ignore[arg-type]
    except AirbyteTracedException:
        with pytest.raises(AirbyteTracedException):
            Settings.parse(config)


def test_the_spec_is_json_schema_draft_07() -> None:
    Draft7Validator.check_schema(Settings.connection_specification())


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(AirbyteTracedException) as error:
        Settings.parse({"additional_message_request_ids": ["", 5], "num_workers": "ten"})
    message = str(error.value)
    for problem in (
        "'Tyntec API Key' (api_key) is missing.",
        "'SMS Message Request ID' (message_request_id) is missing.",
        "entry 1, is empty.",
        "entry 2, must be a text.",
        "must be a whole number from 1 to 40.",
    ):
        assert problem in message


def test_a_setting_of_another_connector_does_no_harm() -> None:
    assert Settings.parse({**BASE, "phone": "+49123456789", "from": "tyntec"}).num_workers == 10


@pytest.mark.parametrize(
    "url",
    ["https://api.tyntec.com", "https://gateway.example:8443", "http://127.0.0.1:8080", "http://localhost:1",
     "http://[::1]:8080", "http://127.9.9.9"],
)  # fmt: skip
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_address_that_is_allowed_is_used(monkeypatch: pytest.MonkeyPatch, url: str, slash: str) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", url + slash)
    assert api_url() == url


@pytest.mark.parametrize(
    "url",
    ["http://128.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "https://a/b", "https://a?b",
     "https://a#b", "https://a:b@c", "http://127.0.0.1\\@evil.example", "//api.tyntec.com", "https:api", "file:///etc",
     "https://a\n.b"],
)  # fmt: skip
def test_an_address_that_is_not_allowed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", url)
    with pytest.raises(AirbyteTracedException, match="TYNTEC_API_URL must be an address like"):
        api_url()


@pytest.mark.parametrize("scale", ["", "0", "-1", "nan", "inf", "1.1", "fast"])
def test_a_time_scale_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, scale: str) -> None:
    monkeypatch.setenv("TYNTEC_TIME_SCALE", scale)
    message, sent = check(BASE)
    assert "TYNTEC_TIME_SCALE must be a number above 0" in (message or "")
    assert not sent
