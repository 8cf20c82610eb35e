"""The connector: its check, and the list of its streams. Its spec is `spec.yaml`."""

import logging
from collections.abc import Mapping
from typing import Any

from airbyte_cdk import AbstractSource, AirbyteConnectionStatus, Status, Stream
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms.config import Config
from source_tyntec_sms.errors import ANSWERS, in_plain_words
from source_tyntec_sms.session import CHECK, READ, Pace, RetryPolicy
from source_tyntec_sms.streams import Contacts, MessageStatus, NoStatusError, PhoneNumbers, PhoneRegistrations


class SourceTyntecSms(AbstractSource):
    """Reads SMS delivery status, contacts, phone numbers and their registrations from tyntec. It never sends an SMS.

    read_policy, check_policy: how often and how long requests are tried.
    """

    # `Config.parse` says in plain words what the CDK's JSON schema validator says in its own.
    check_config_against_spec = False
    raise_exception_on_missing_stream = True

    def __init__(self, read_policy: RetryPolicy = READ, check_policy: RetryPolicy = CHECK) -> None:
        self._read_policy = read_policy
        self._check_policy = check_policy

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """The outcome of `check_connection`. The CDK's own shows the user repr() of the message."""
        succeeded, message = self.check_connection(logger, config)
        status = Status.SUCCEEDED if succeeded else Status.FAILED
        return AirbyteConnectionStatus(status=status, message=message and filter_secrets(message))

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Request the status of the request id. Returns whether that succeeded, and if not, why."""
        try:
            settings = Config.parse(config)
            request_id = settings.message_request_id
            MessageStatus(settings, self._check_policy, Pace(self._check_policy, workers=1)).status(request_id)
        except NoStatusError as error:
            return False, str(ANSWERS["problems"]["unknown id"].error(request_id=request_id, reason=error.args[1]))
        except Exception as error:
            return False, str(in_plain_words(error))
        return True, None

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """The four streams. A setting or an environment variable that cannot be used is a config_error."""
        settings = Config.parse(config)
        shared = settings, self._read_policy, Pace(self._read_policy, settings.num_workers)
        return [MessageStatus(*shared), Contacts(*shared), PhoneNumbers(*shared), PhoneRegistrations(*shared)]
