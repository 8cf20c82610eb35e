"""Errors that a user sees."""

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException


def traced(words: str, failure_type: FailureType) -> AirbyteTracedException:
    """An error whose `words` are shown as they are."""
    return AirbyteTracedException(message=words, internal_message=words, failure_type=failure_type)


def config_error(words: str) -> AirbyteTracedException:
    """An error that the user can mend."""
    return traced(words, FailureType.config_error)
