"""The connector: its settings, its check, its streams, and how they are read."""

import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConnectorSpecification,
    FailureType,
    Status,
    StreamDescriptor,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.concurrent_source.concurrent_source import ConcurrentSource
from airbyte_cdk.sources.concurrent_source.concurrent_source_adapter import ConcurrentSourceAdapter
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import InMemoryMessageRepository
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from typing_extensions import override

from source_tyntec_sms.answers import in_plain_words
from source_tyntec_sms.errors import config_error, traced
from source_tyntec_sms.retries import CHECK
from source_tyntec_sms.settings import DOCUMENTATION_URL, Settings
from source_tyntec_sms.streams import Contacts, MessageStatus, PhoneNumbers, PhoneRegistrations

logger = logging.getLogger("airbyte")


class SourceTyntecSms(AbstractSource):
    """Reads delivery states, contacts, phone numbers and their registrations from tyntec. Never sends an SMS."""

    @override
    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        return ConnectorSpecification(
            documentationUrl=DOCUMENTATION_URL,
            connectionSpecification=Settings.connection_specification(),
        )

    @staticmethod
    @override
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        with _file("configuration", config_path):
            return AbstractSource.read_config(config_path)

    @classmethod
    @override
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        with _file("catalog", catalog_path):
            return super().read_catalog(catalog_path)

    @classmethod
    @override
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        with _file("state", state_path):
            return super().read_state(state_path)

    @override
    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The configuration as it is. The CDK would write it to a file, with the key in it, that nobody reads."""
        return config

    @override
    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """The outcome of `check_connection`. The CDK's own shows the user repr() of the message."""
        succeeded, message = self.check_connection(logger, config)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED if succeeded else Status.FAILED, message=message)

    @override
    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether the key and the request id can be used, by one request for that id's status; if not, why not."""
        try:
            settings = Settings.parse(config)
            status = MessageStatus(settings, CHECK).status(settings.message_request_id)
        except Exception as error:
            return False, str(in_plain_words(error))
        if status is None:
            return False, (
                f"tyntec does not know the SMS request id {settings.message_request_id}. It keeps a delivery state "
                "for three months: enter the requestId of a newer message in the setting 'SMS Message Request ID'."
            )
        return True, None

    @override
    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """The four streams.

        Raises:
            AirbyteTracedException: config_error if a setting or an environment variable cannot be used.
        """
        settings = Settings.parse(config)
        return [
            MessageStatus(settings),
            Contacts(settings),
            PhoneNumbers(settings),
            PhoneRegistrations(settings),
        ]

    @override
    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """The messages of a sync, the ids and streams read in parallel.

        Raises:
            AirbyteTracedException: config_error if a setting cannot be used, before any request; and at the end, if
                a stream could not be read in full, naming those streams. Each has had an error of its own by then.
        """
        names = {stream.name for stream in self.streams(config)}
        failures: dict[str, FailureType | None] = {}
        try:
            for message in self._messages(logger, config, catalog, state, names):
                if message.trace and message.trace.error and message.trace.error.stream_descriptor:
                    error = message.trace.error
                    failures[error.stream_descriptor.name] = error.failure_type
                yield message
        except AirbyteTracedException:
            if not failures:
                raise
        if failures:
            # The CDK's own summary is made of repr()s.
            types = set(failures.values())
            raise traced(
                f"{len(failures)} of {len(catalog.streams)} streams could not be read in full: "
                f"{', '.join(failures)}. The error of each says why.",
                types.pop() or FailureType.system_error if len(types) == 1 else FailureType.config_error,
            )

    def _messages(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None,
        names: set[str],
    ) -> Iterable[AirbyteMessage]:
        selected = {stream.stream.name: stream for stream in catalog.streams}
        for name in selected.keys() - names:
            yield from _unknown_stream(name)
        known = ConfiguredAirbyteCatalog(streams=[stream for name, stream in selected.items() if name in names])
        workers = Settings.parse(config).num_workers
        if workers == 1:
            # A single worker would block for ever on more than 10,000 partitions: it both makes and reads them.
            yield from super().read(logger, config, known, state)
        else:
            yield from _ParallelReader(self, workers).read(logger, config, known, state)


class _ParallelReader(ConcurrentSourceAdapter):
    """Reads the streams of a source with the CDK's concurrency for classic streams.

    A class of its own because the adapter wants to know the number of workers at construction, before the config.
    """

    def __init__(self, source: AbstractSource, num_workers: int) -> None:
        self._source = source
        repository = InMemoryMessageRepository()
        self._repository = repository
        super().__init__(
            ConcurrentSource.create(
                num_workers=num_workers,
                initial_number_of_partitions_to_generate=1,
                logger=logger,
                slice_logger=self._slice_logger,
                message_repository=repository,
            )
        )

    @property
    @override
    def message_repository(self) -> InMemoryMessageRepository:
        return self._repository

    @override
    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, Any | None]:
        return self._source.check_connection(logger, config)

    @override
    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        return [
            self.convert_to_concurrent_stream(logger, stream, ConnectorStateManager())
            for stream in self._source.streams(config)
        ]


@contextmanager
def _file(kind: str, path: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        raise config_error(
            f"The {kind} file {path} cannot be used: it is missing, not readable, or not the JSON of a {kind}."
        ) from None


def _unknown_stream(name: str) -> Iterable[AirbyteMessage]:
    descriptor = StreamDescriptor(name=name)
    error = config_error(
        f"This source has no stream {name}. Refresh the source schema of the connection, and deselect the stream."
    )
    yield error.as_airbyte_message(stream_descriptor=descriptor)
    yield as_airbyte_message(descriptor, AirbyteStreamStatus.INCOMPLETE)
