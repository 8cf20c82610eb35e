"""The exception that users see, how any other becomes plain words, and the table of those words, `answers.yaml`."""

from importlib.resources import files
from typing import Any, NamedTuple

from airbyte_cdk import AirbyteTracedException, BaseBackoffException, FailureType
from airbyte_cdk.utils.yaml_loader import safe_load_yaml

# From what the user can fix to what may pass by itself: the first one tells the type of many failures.
FAILURE_TYPES = (FailureType.config_error, FailureType.system_error, FailureType.transient_error)


def traced(message: str, failure_type: FailureType = FailureType.config_error) -> AirbyteTracedException:
    """An error whose `message` is shown to the user as it is. By default, one that the user can fix."""
    return AirbyteTracedException(message=message, internal_message=message, failure_type=failure_type)


class Meaning(NamedTuple):
    """An entry of `answers.yaml`. The comment at the top of it says what the properties mean."""

    words: str = ""
    failure_type: str = "config_error"
    action: str = "FAIL"
    stop: bool = False
    counted_as: str = ""

    def error(self, **facts: Any) -> AirbyteTracedException:
        """The exception for the entry. `facts`: what its words need."""
        return traced(self.words.format(**facts), FailureType(self.failure_type))


ANSWERS = {
    part: {str(key): Meaning(**entry) for key, entry in entries.items()}
    for part, entries in safe_load_yaml(files(__package__).joinpath("answers.yaml").read_bytes()).items()
}


def in_plain_words(error: BaseException) -> AirbyteTracedException:
    """`error` as the one exception that is shown to a user."""
    if not isinstance(error, AirbyteTracedException):
        return ANSWERS["problems"]["unexpected"].error(exception=type(error).__name__)
    # The CDK wraps the message of the last retry in words of its own.
    plain = error.__context__ if isinstance(error.__context__, BaseBackoffException) else error
    return traced(str(plain), error.failure_type)
