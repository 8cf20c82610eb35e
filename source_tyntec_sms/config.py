"""The settings of a connection, and the address of the API. The form for them is `spec.yaml`."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets, filter_secrets
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from source_tyntec_sms.errors import failure

API_URL = "https://api.tyntec.com"
MAX_WORKERS = 40
_URL = re.compile(
    r"https://[\w.-]+(:\d+)?"
    r"|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"  # ignore-https-check: on loopback
)
# Printable ASCII without quotation marks and backslash, but not a UUID.
_KEY = re.compile(r"(?![0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$)[!#-&(-\[\]-~]+")
REQUEST_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_.:~-]+")  # dots alone would climb to another path
_PASTED = "\"'`()[]{}"  # what surrounds ids that were copied from SQL or JSON


def _api_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        words = "A key has 32 letters and digits; 36 characters with hyphens is a request id"
        raise PydanticCustomError("key", words)
    add_to_secrets(key)
    return key


def _request_ids(entry: str) -> str:
    """The ids in `entry`, separated by single spaces."""
    request_ids = [word.strip(_PASTED) for word in re.split(r"[\s,;]+", entry)]
    for request_id in filter(None, request_ids):
        shown = filter_secrets(request_id)
        if shown == "****" or not REQUEST_ID.fullmatch(request_id):  # **** is the API key
            quote = shown.encode("ascii", "replace").decode()[:100]
            words = f"{quote} is not a request id, which has only letters, digits and - _ . : ~"
            raise PydanticCustomError("request_id", words)
    return " ".join(filter(None, request_ids))


ApiKey = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_api_key)]
RequestIds = Annotated[str, AfterValidator(_request_ids)]


class Config(BaseModel, frozen=True):
    """What a user enters to set up a connection. Unknown settings are ignored."""

    api_key: ApiKey = Field(title="Tyntec API Key")
    message_request_id: RequestIds = Field(title="SMS Message Request ID", pattern=r"[\w.:~-]")
    additional_message_request_ids: list[RequestIds] = Field(
        [], title="Additional SMS Message Request IDs"
    )
    num_workers: int = Field(10, title="Number of Concurrent Workers", ge=1, le=MAX_WORKERS)

    @property
    def request_ids(self) -> list[str]:
        """Every request id once, in the order given, those of `message_request_id` first."""
        entries = [self.message_request_id, *self.additional_message_request_ids]
        return list(dict.fromkeys(" ".join(entries).split()))

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Config":
        """Parse `config`, where null means missing, and mask the API key in all messages.

        Raises one config_error that lists every problem.
        """
        try:
            return cls(**without_nulls(config))
        except ValidationError as error:
            raise failure(" ".join(map(_sentence, error.errors()))) from None


def without_nulls(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` without the settings that are null."""
    return {name: value for name, value in config.items() if value is not None}


def _sentence(problem: ErrorDetails) -> str:
    name, *index = problem["loc"]
    entry = f", entry {int(index[0]) + 1}" if index else ""
    title = Config.model_fields[str(name)].title
    return f"The setting '{title}' ({name}{entry}) is not valid: {problem['msg']}."


def api_url() -> str:
    """The address of the API, without a slash at its end.

    Only the environment variable TYNTEC_API_URL changes it, for the sandbox and for tests. It is
    not a setting: whoever may edit a connection could send the stored key to a host of their own.
    Raises a config_error if it is neither an https address nor on loopback.
    """
    url = (os.environ.get("TYNTEC_API_URL") or API_URL).rstrip("/")
    if not _URL.fullmatch(url):
        raise failure(
            f"The environment variable TYNTEC_API_URL must be an address like {API_URL}, without "
            "a path. Correct it, or remove it to use tyntec's API."
        )
    return url
