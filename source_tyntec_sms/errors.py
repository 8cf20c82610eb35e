"""The exception that users see, and how any other becomes plain words."""

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.exceptions import BaseBackoffException
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

# From what the user can fix to what may pass by itself: the first one tells the type of many failures.
FAILURE_TYPES = (FailureType.config_error, FailureType.system_error, FailureType.transient_error)


def traced(message: str, failure_type: FailureType = FailureType.system_error) -> AirbyteTracedException:
    """An error whose `message` is shown to the user as it is."""
    return AirbyteTracedException(message=message, internal_message=message, failure_type=failure_type)


def config_error(message: str) -> AirbyteTracedException:
    """An error that the user can fix."""
    return traced(message, FailureType.config_error)


def in_plain_words(error: BaseException) -> AirbyteTracedException:
    """`error` as the one exception that is shown to a user."""
    if not isinstance(error, AirbyteTracedException):
        return traced(
            f"The connector failed with an unexpected error ({type(error).__name__}). Report it to the maintainers of "
            "this connector, with the log of this sync."
        )
    # The CDK wraps the message of the last retry in words of its own.
    plain = error.__context__ if isinstance(error.__context__, BaseBackoffException) else error
    return traced(str(plain), error.failure_type)
