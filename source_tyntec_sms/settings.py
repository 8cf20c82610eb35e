"""The settings of a connection: their form in Airbyte, what is accepted, and the address of the API."""

import ipaddress
import json
import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from source_tyntec_sms.errors import config_error

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/sources/tyntec-sms"
API_URL = "https://api.tyntec.com"
API_URL_VARIABLE = "TYNTEC_API_URL"
MAX_WORKERS = 40


def _key(value: str) -> str:
    key = value.strip()
    if not key:
        raise ValueError("is empty")
    if not all("!" <= character <= "~" for character in key) or set(key) & set("\"'\\"):
        raise ValueError(
            "holds a character that no key has (white space, a quotation mark, a backslash, a control or "
            "non-ASCII character). Copy the key again, without anything around it"
        )
    return key


def _request_id(value: str) -> str:
    request_id = value.strip()
    if not request_id:
        raise ValueError("is empty")
    # urllib3 resolves dot segments, quoted or not: such an id would climb to another path.
    if request_id in {".", ".."} or not request_id.isprintable() or " " in request_id:
        raise ValueError(
            f"holds {json.dumps(request_id[:100])}, which is not a request id: it must not hold white space or "
            "control characters, nor be only dots"
        )
    return request_id


RequestId = Annotated[str, AfterValidator(_request_id)]


class Settings(BaseModel):
    """What a user enters when setting up the connection.

    `spec` is made from this model, so a title or a description below is what the form shows. Properties it does not
    know are ignored: a configuration written for another version must still be read.
    """

    model_config = ConfigDict(title="Tyntec SMS", extra="ignore", frozen=True)

    api_key: Annotated[str, AfterValidator(_key)] = Field(
        title="Tyntec API Key",
        description=(
            "The key that your requests to tyntec carry. You find it in the tyntec Business Center under "
            "API settings. It is sent to tyntec's API only."
        ),
        json_schema_extra={"order": 0, "airbyte_secret": True},
    )
    message_request_id: RequestId = Field(
        title="SMS Message Request ID",
        description=(
            "The requestId that tyntec answered when you sent an SMS, of a message not older than three months: "
            "tyntec forgets a delivery state after that. The connection test asks for the state of this message. "
            "No SMS is sent."
        ),
        examples=["e74db8d4-77ad-4671-8feb-9bc76b0df188"],
        json_schema_extra={"order": 1},
    )
    additional_message_request_ids: list[RequestId] = Field(
        default=[],
        title="Additional SMS Message Request IDs",
        description=(
            "The requestIds of further messages whose delivery states are to be read. tyntec offers no list of sent "
            "messages, so each message to read has to be named here or above."
        ),
        examples=[["12-75cfafba-8799-4f2b-8505-ece6af6abf01"]],
        json_schema_extra={"order": 2},
    )
    num_workers: int = Field(
        default=10,
        ge=1,
        le=MAX_WORKERS,
        title="Number of Concurrent Workers",
        description=(
            "How many requests are sent to tyntec at the same time. tyntec publishes no rate limit: raise the number "
            "if you read many messages, lower it if the log shows many answers about the rate limit."
        ),
        examples=[10],
        json_schema_extra={"order": 3},
    )

    @model_validator(mode="after")
    def _key_is_no_request_id(self) -> Self:
        # It would be sent in a path and named in messages, where a secret does not belong.
        if self.api_key in self.request_ids:
            raise ValueError("The API key was entered as an SMS Message Request ID. Enter the requestId of a sent SMS")
        return self

    @property
    def request_ids(self) -> list[str]:
        """Every request id once, in the order given."""
        return list(dict.fromkeys([self.message_request_id, *self.additional_message_request_ids]))

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Settings":
        """The settings in `config`, white space around the key and the ids removed.

        From here on the key is masked in all that is logged: the CDK masks the value as it was entered, which may
        differ by the white space around it.

        Raises:
            AirbyteTracedException: config_error that names every setting that cannot be used, and why.
        """
        try:
            settings = cls.model_validate(config)
        except ValidationError as error:
            raise config_error(_explain(error)) from None
        add_to_secrets(settings.api_key)
        return settings

    @classmethod
    def connection_specification(cls) -> dict[str, Any]:
        """The settings as JSON schema draft-07, the form in Airbyte."""
        schema = cls.model_json_schema()
        schema.pop("description", None)
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            **schema,
            "additionalProperties": True,
        }


def _explain(error: ValidationError) -> str:
    return " ".join(dict.fromkeys(_sentences(error)))


def _sentences(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        if not problem["loc"]:
            yield f"{problem['ctx']['error']}."
            continue
        name, *place = problem["loc"]
        setting = f"The setting '{Settings.model_fields[str(name)].title}' ({name})"
        if place:
            setting += f", entry {int(place[0]) + 1},"
        if problem["type"] == "missing":
            yield f"{setting} is missing."
        elif problem["type"] == "value_error":
            yield f"{setting} {problem['ctx']['error']}."
        elif name == "num_workers":
            yield f"{setting} must be a whole number from 1 to {MAX_WORKERS}."
        elif problem["type"] == "list_type":
            yield f"{setting} must be a list of texts."
        else:
            yield f"{setting} must be a text."


def api_url() -> str:
    """The address of the API, without a slash at its end.

    It is no setting: whoever may edit a connection could point the stored key at a host of theirs. Only whoever runs
    the connector can change it, by the environment variable TYNTEC_API_URL, for the sandbox and for tests.

    Raises:
        AirbyteTracedException: config_error if the variable holds anything but https://host[:port], or http:// on a
            loopback host.
    """
    value = os.environ.get(API_URL_VARIABLE)
    if value is None:
        return API_URL
    try:
        url = parse_url(value)  # the parser that requests uses: no second opinion on what the host is
    except LocationParseError:
        url = Url()
    allowed = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host))
    address = Url(scheme=url.scheme, host=url.host, port=url.port).url
    if not (allowed and url.host and url.url.rstrip("/") == address and value.isprintable()):
        raise config_error(
            f"The environment variable {API_URL_VARIABLE} must be an address like {API_URL}, or "
            "http://127.0.0.1:8080 on this machine: https anywhere, plain http only on a loopback host, and nothing "
            "after the port. Correct it, or remove it to use tyntec's API."
        )
    return address


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False
