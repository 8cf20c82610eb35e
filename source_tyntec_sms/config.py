"""The settings of a connection: their form in Airbyte, what is accepted, and the address of the API."""

import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import quote

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from source_tyntec_sms.errors import ANSWERS, traced

SPEC = safe_load_yaml(files(__package__).joinpath("spec.yaml").read_bytes())
API_URL = "https://api.tyntec.com"
_ADDRESS = re.compile(
    r"(?a)(https://([\w-]{1,63}\.)*[\w-]{1,63}"
    r"|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\]))(:(?P<port>\d{1,5}))?/?"  # ignore-https-check: on loopback
)


def _request_ids(entry: str, info: ValidationInfo) -> str:
    """The ids in `entry`, separated by spaces. The errors do not quote them: one may be the key, entered by mistake."""
    request_ids = re.sub("[,;]", " ", entry).split()
    if not request_ids:
        raise PydanticCustomError("empty", "")
    # urllib3 resolves dot segments, quoted or not: such an id would climb to another path.
    if {".", ".."} & set(request_ids) or not "".join(request_ids).isprintable():
        raise PydanticCustomError("no_id", "")
    # The key would be sent in a path and named in messages, where a secret does not belong.
    if "api_key" in info.data and info.data["api_key"] in entry:
        raise PydanticCustomError("the_key", "")
    if info.field_name == "message_request_id" and len(request_ids) > 1:
        raise PydanticCustomError("several_ids", "")
    return " ".join(request_ids)


class Config(BaseModel, extra="allow", frozen=True):
    """What a user enters when setting up the connection. The form for it is `spec.yaml`.

    Unknown properties are accepted, because a configuration written for another version must stay readable.
    """

    api_key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[!#-&(-\[\]-~]+$")]
    message_request_id: Annotated[str, AfterValidator(_request_ids)]
    additional_message_request_ids: list[Annotated[str, AfterValidator(_request_ids)]] = []
    num_workers: Annotated[int, Field(strict=True, ge=1, le=40)] = 10

    @property
    def request_ids(self) -> list[str]:
        """Every request id once, in the order given, `message_request_id` first."""
        return list(dict.fromkeys(" ".join([self.message_request_id, *self.additional_message_request_ids]).split()))

    @property
    def warnings(self) -> Iterator[str]:
        """A sentence for each property that this connector does not know."""
        known = list(type(self).model_fields)
        for name in self.model_extra or {}:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(known)}."
            if name in ("to", "from", "message"):
                hint = f"It belongs to the earlier connector. See the migration guide: {SPEC['documentationUrl']}"
            if not name.startswith("_"):  # those are Airbyte's own
                yield f"The setting {name} is unknown and ignored. {hint}"

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Config":
        """The settings in `config`. A null counts as missing. All that cannot be used is named in one config_error.

        From here on the key is masked in all that is logged, also in the forms in which an API may echo it.
        """
        # pydantic refuses a name that holds half of a surrogate pair.
        named = {name.encode(errors="replace").decode(): value for name, value in config.items() if value is not None}
        try:
            settings = cls.model_validate(named)
        except ValidationError as error:
            raise traced(" ".join(map(_sentence, error.errors(include_url=False, include_input=False)))) from None
        key = settings.api_key
        forms = [key, key.replace("/", r"\/"), *(quote(key, safe=safe) for safe in ("", "/", "/:"))]  # \/ as in JSON
        forms += [encode(key.encode()).decode() for encode in (b64encode, urlsafe_b64encode)]
        forms += [form.rstrip("=") for form in forms]
        forms += [re.sub("%..", lambda code: code[0].lower(), form) for form in forms]
        for form in sorted(set(forms), key=len, reverse=True):  # because a shorter one may be part of it
            add_to_secrets(form)
        return settings


def _sentence(problem: ErrorDetails) -> str:
    name, *place = problem["loc"]
    title = SPEC["connectionSpecification"]["properties"][name]["title"]
    entry = f", entry {int(place[0]) + 1}," if place else ""
    reason = ANSWERS["settings"].get(problem["type"], ANSWERS["settings"]["other"])
    return f"The setting '{title}' ({name}){entry} {reason.words}."


def api_url() -> str:
    """The address of the API, without a slash at its end. A config_error if the environment variable holds another.

    It is not a setting: whoever may edit a connection could point the stored key at a host of theirs. Only whoever runs
    the connector can change it, for the sandbox and for tests.
    """
    match = _ADDRESS.fullmatch(os.environ.get("TYNTEC_API_URL", API_URL))
    if not match or not 0 < int(match["port"] or 443) < 2**16:
        raise ANSWERS["problems"]["address"].error(default=API_URL)
    return match[0].rstrip("/")
