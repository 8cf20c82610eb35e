"""The settings of a connection: their form in Airbyte, what is accepted, and the address of the API."""

import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.resources import files
from itertools import chain
from typing import Annotated, Any
from urllib.parse import quote

import yaml
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from source_tyntec_sms.errors import config_error

SPEC = yaml.safe_load(files(__package__).joinpath("spec.yaml").read_bytes())
API_URL = "https://api.tyntec.com"
API_URL_VARIABLE = "TYNTEC_API_URL"
MAX_WORKERS = 40

_SETTINGS_OF_EARLIER_CONNECTOR = ("to", "from", "message")
_KEY = re.compile(r"[!#-&(-\[\]-~]+")
_SEPARATORS = re.compile(r"[\s,;]+")
_ADDRESS = re.compile(
    r"(https://([\w-]+\.)*[\w-]+|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\]))(:(?P<port>\d{1,5}))?/?", re.ASCII
)


def _key(value: str) -> str:
    if not _KEY.fullmatch(key := value.strip()):
        raise ValueError(
            "contains a character that no key has (white space, a quotation mark, a backslash, or a control or "
            "non-ASCII character). Copy the key again, without anything around it"
            if key
            else "is empty"
        )
    return key


def _request_ids(value: str) -> list[str]:
    # A message must not quote an id: it may be the key, entered here by mistake.
    request_ids = [request_id for request_id in _SEPARATORS.split(value) if request_id]
    if not request_ids:
        raise ValueError("is empty")
    # urllib3 resolves dot segments, quoted or not: such an id would climb to another path.
    if {".", ".."} & set(request_ids) or not "".join(request_ids).isprintable():
        raise ValueError("is not a request id: it consists of dots, or contains a control character")
    return request_ids


def _request_id(value: str) -> str:
    request_id, *more = _request_ids(value)
    if more:
        raise ValueError(
            "takes one request id. Enter the others in the setting 'Additional SMS Message Request IDs' "
            "(additional_message_request_ids)"
        )
    return request_id


class Config(BaseModel):
    """What a user enters when setting up the connection. The form for it is `spec.yaml`.

    Unknown properties are accepted, because a configuration written for another version must stay readable.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    api_key: Annotated[str, AfterValidator(_key)]
    message_request_id: Annotated[str, AfterValidator(_request_id)]
    additional_message_request_ids: list[Annotated[str, AfterValidator(_request_ids)]] = []
    num_workers: Annotated[int, Field(strict=True, ge=1, le=MAX_WORKERS)] = 10

    @model_validator(mode="after")
    def _key_is_in_no_request_id(self) -> Self:
        # It would be sent in a path and named in messages, where a secret does not belong.
        if any(self.api_key in request_id for request_id in self.request_ids):
            raise ValueError("An SMS Message Request ID contains the API key. Enter the requestId of a sent SMS")
        return self

    @property
    def request_ids(self) -> list[str]:
        """Every request id once, in the order given."""
        return list(dict.fromkeys(chain([self.message_request_id], *self.additional_message_request_ids)))

    @property
    def warnings(self) -> Iterator[str]:
        """A sentence for each property that this connector does not know."""
        known = list(type(self).model_fields)
        for name in self.model_extra or {}:
            if name in _SETTINGS_OF_EARLIER_CONNECTOR:
                hint = f"It belongs to the earlier connector. See the migration guide: {SPEC['documentationUrl']}"
            else:
                near = get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(known)}."
            if not name.startswith("_"):  # those are Airbyte's own
                yield f"The setting {name} is unknown and ignored. {hint}"

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Config":
        """The settings in `config`, without the white space around the key and the ids. A null counts as missing.

        From here on the key is masked in all that is logged, also in the forms in which an API may echo it.

        Raises:
            AirbyteTracedException: config_error that names every setting that cannot be used, and why.
        """
        try:
            settings = cls.model_validate({name: value for name, value in config.items() if value is not None})
        except ValidationError as error:
            raise config_error(" ".join(dict.fromkeys(_sentences(error)))) from None
        for form in _forms(settings.api_key):
            add_to_secrets(form)
        return settings


def _forms(key: str) -> list[str]:
    """The key as it is, percent-encoded, and in base64; the longest first, because one may contain another."""
    quoted = [quote(key, safe=safe) for safe in ("", "/", "/:")]
    encoded = [encode(key.encode()).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)]
    return sorted({key, *quoted, *map(str.lower, quoted), *encoded}, key=len, reverse=True)


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        name, *place = problem["loc"] or ("",)
        reason = str(problem.get("ctx", {}).get("error", ""))
        if not name:
            yield f"{reason}."
            continue
        if problem["type"] == "missing":
            reason = "is missing"
        elif name == "num_workers":
            reason = f"must be a whole number from 1 to {MAX_WORKERS}"
        elif not reason:
            reason = f"must be a {'list of strings' if problem['type'] == 'list_type' else 'string'}"
        entry = f", entry {int(place[0]) + 1}," if place else ""
        title = SPEC["connectionSpecification"]["properties"][name]["title"]
        yield f"The setting '{title}' ({name}){entry} {reason}."


def api_url() -> str:
    """The address of the API, without a slash at its end.

    It is not a setting: whoever may edit a connection could point the stored key at a host of theirs. Only whoever runs
    the connector can change it, by the environment variable TYNTEC_API_URL, for the sandbox and for tests.

    Raises:
        AirbyteTracedException: config_error if the variable holds anything but https://host[:port], or http:// on a
            loopback host.
    """
    address = os.environ.get(API_URL_VARIABLE, API_URL)
    match = _ADDRESS.fullmatch(address)
    if not match or int(match["port"] or 443) >= 2**16:
        raise config_error(
            f"The environment variable {API_URL_VARIABLE} must be an address like {API_URL}, or "
            "http://127.0.0.1:8080 on this machine: https anywhere, plain http only on a loopback host, and nothing "
            "after the port. Correct it, or remove it to use tyntec's API."
        )
    return address.rstrip("/")
