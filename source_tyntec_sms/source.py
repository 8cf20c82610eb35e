"""The connector: its check, and the list of its streams."""

import logging
from collections.abc import Iterator, Mapping
from itertools import chain
from time import monotonic
from typing import Any

from airbyte_cdk import AbstractSource, AirbyteTracedException, Status, Stream
from airbyte_cdk.models import AirbyteConnectionStatus, AirbyteMessage
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms.client import CHECK, READ, RateLimit, RetryPolicy, TyntecErrorHandler
from source_tyntec_sms.config import API_URL, Config, api_url, without_nulls
from source_tyntec_sms.errors import NEWER_ID, UnknownIdError, as_failure, failure
from source_tyntec_sms.streams import Contacts, MessageStatus, PhoneNumbers, PhoneRegistrations

MOST_CHECKED_IDS = 100  # besides the first
SECONDS_OF_CHECK = 30  # afterwards no further request id is tried


class SourceTyntecSms(AbstractSource):
    """Reads SMS delivery status, contacts, phone numbers and their registrations from tyntec.

    It never sends an SMS. read_policy, check_policy: how often and how long requests are tried.
    """

    check_config_against_spec = False  # in a read, `Config.parse` names every problem
    raise_exception_on_missing_stream = True

    def __init__(self, read_policy: RetryPolicy = READ, check_policy: RetryPolicy = CHECK) -> None:
        self._read_policy, self._check_policy = read_policy, check_policy

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """`config` without nulls, which the CDK would refuse before a check."""
        return without_nulls(config)

    def check(self, *args: Any) -> AirbyteConnectionStatus:
        """The outcome of `check_connection`. The CDK's own method shows repr() of the message."""
        succeeded, message = self.check_connection(*args)
        status = Status.SUCCEEDED if succeeded else Status.FAILED
        return AirbyteConnectionStatus(status, message and filter_secrets(message))

    def check_connection(
        self, logger: logging.Logger, config: Mapping[str, Any]
    ) -> tuple[bool, str | None]:
        """Read one message status. Returns whether that succeeded, and if not, why.

        If tyntec does not know the first request id, others are tried: Airbyte runs a check after
        each failed sync, and an expired id must not stop a connection. With the waits of the
        policy, a check takes less than two minutes.
        """
        unknown, ends_at = "", monotonic() + SECONDS_OF_CHECK
        try:
            settings = Config.parse(config)
            handler = TyntecErrorHandler(api_url(), RateLimit(self._check_policy))
            stream = MessageStatus(settings, handler)
            first, *others = settings.request_ids
            tried = chain(stream.outcomes([first]), stream.outcomes(others[:MOST_CHECKED_IDS]))
            for request_id, outcome in tried:
                if isinstance(outcome, dict):
                    if unknown:
                        logger.warning("The check used %s: %s", request_id, unknown)
                    return True, None
                if not isinstance(outcome, UnknownIdError):
                    return False, str(outcome)
                unknown = unknown or f"there is no status for the request id {first}. {outcome}"
                if monotonic() > ends_at:
                    break
        except Exception as error:
            return False, str(as_failure(error))
        return False, f"The API key works, but {unknown} {NEWER_ID}"

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """The four streams. A config_error is raised if a setting is not valid."""
        settings = Config.parse(config)
        handler = TyntecErrorHandler(api_url(), RateLimit(self._read_policy))
        if api_url() != API_URL:
            logging.getLogger("airbyte").info("TYNTEC_API_URL is set: the API is at %s.", api_url())
        classes = (MessageStatus, Contacts, PhoneNumbers, PhoneRegistrations)
        return [each(settings, handler) for each in classes]

    def read(self, *args: Any, **kwargs: Any) -> Iterator[AirbyteMessage]:
        """The messages of a sync. If a stream failed, an error at the end names the streams.

        The summary of the CDK shows repr() of the errors.
        """
        failed = dict[str, Any]()
        try:
            message: Any
            for message in super().read(*args, **kwargs):
                if error := message.trace and message.trace.error:
                    failed[error.stream_descriptor.name] = error.failure_type
                yield message
        except AirbyteTracedException:
            if not failed:
                raise
            words = f"Streams not read in full: {', '.join(failed)}. The error of each says why."
            raise failure(words, *failed.values()) from None
