"""The process: what is read from the command line, what is logged, how it ends."""

import gc
import logging
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any, NoReturn

from airbyte_cdk import entrypoint as cdk_entrypoint
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteLogMessage,
    AirbyteMessage,
    ConnectorSpecification,
    Level,
    Status,
    Type,
)
from airbyte_cdk.sources.utils.schema_helpers import split_config
from typing_extensions import override

from source_tyntec_sms.answers import in_plain_words
from source_tyntec_sms.settings import Settings
from source_tyntec_sms.source import SourceTyntecSms

SECONDS_TO_STOP = 4
# Where the CDK reports a failed request or stream in its own words: the streams say the same in plain ones.
_REQUEST_MODULES = {"http_client", "rate_limiting"}
_STREAM_MODULES = {"abstract_source", "concurrent_read_processor"}
_MEMORY_MODULE = "memory_monitor"  # begins every command with its own thresholds
_SUMMARY_OF_REPRS = "did not sync successfully"

logger = logging.getLogger("airbyte")


def run() -> None:
    """Run the command line, and leave with exit code 1 if a sync or command failed."""
    # The CDK makes a folder for cached answers and a copy of the configuration, key included. This connector keeps
    # neither, and has to run where nothing can be written.
    cdk_entrypoint.tempfile = SimpleNamespace(TemporaryDirectory=_no_folder)  # type: ignore[assignment]
    gc.freeze()  # what was imported is no garbage: not looking for it there saves a tenth of the time of a long list
    for handler in logging.getLogger().handlers:
        handler.addFilter(_in_plain_words)
    entrypoint = Entrypoint(SourceTyntecSms())
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _stop)
    arguments = entrypoint.parse_args(sys.argv[1:] or ["--help"])
    with PRINT_BUFFER:
        try:
            for message in entrypoint.run(arguments):
                print(f"{message}\n", end="")
            PRINT_BUFFER.flush()
            _let_signals_kill()  # all is said, and a process that is shutting down can start no thread
        except BrokenPipeError:  # nobody reads what is printed
            os._exit(1)
        except Exception as error:
            logger.debug("The command failed.", exc_info=error)
            _leave(partial(os._exit, 1), in_plain_words(error).as_sanitized_airbyte_message())


class Entrypoint(AirbyteEntrypoint):
    """The CDK's command line, with two promises more.

    A configuration is refused in plain words, where the CDK shows the user what its JSON schema validator says. And
    `check` ends with a CONNECTION_STATUS whatever happens; the CDK's ends with none unless the error is a config_error.
    """

    @override
    def run(self, parsed_args: Namespace) -> Iterable[str]:
        try:
            yield from super().run(parsed_args)
        except Exception as error:
            if parsed_args.command != "check":
                raise
            status = AirbyteConnectionStatus(status=Status.FAILED, message=str(in_plain_words(error)))
            message = AirbyteMessage(type=Type.CONNECTION_STATUS, connectionStatus=status)
            yield self.airbyte_message_to_string(message)

    @staticmethod
    @override
    def validate_connection(source_spec: ConnectorSpecification, config: Mapping[str, Any]) -> None:
        Settings.parse(split_config(config)[0])


def _no_folder(**_: Any) -> nullcontext[str]:
    return nullcontext("")


def _in_plain_words(record: logging.LogRecord) -> bool:
    if record.levelno <= logging.DEBUG:
        return True
    if record.module == _MEMORY_MODULE:
        return record.levelno >= logging.WARNING
    if record.module in _STREAM_MODULES:
        return record.levelno < logging.WARNING and _SUMMARY_OF_REPRS not in record.getMessage()
    return record.module not in _REQUEST_MODULES


def _stop(signum: int, _frame: FrameType | None) -> None:
    _let_signals_kill()
    words = f"Stopped by {signal.Signals(signum).name}, before all was read."
    message = AirbyteMessage(type=Type.LOG, log=AirbyteLogMessage(level=Level.WARN, message=words))
    die = partial(_die_of, signum)
    # From threads of their own: this one may be in the middle of writing, or the reader of the output may be gone.
    for thread in (threading.Thread(target=_leave, args=(die, message)), threading.Timer(SECONDS_TO_STOP, die)):
        thread.daemon = True
        thread.start()


def _let_signals_kill() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)


def _die_of(signum: int) -> NoReturn:
    """End as a process does that the signal kills: PyAirbyte ends a check by SIGTERM, and takes 143 for a failure."""
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # the first process of a container survives its own signal


def _leave(end: Callable[[], NoReturn], last_words: AirbyteMessage) -> NoReturn:
    """End the process at once: workers may be waiting for a retry, which nothing can interrupt.

    Whoever holds the lock is writing; leaving after that keeps half lines off the output.
    """
    with PRINT_BUFFER.lock:
        PRINT_BUFFER.write(f"{AirbyteEntrypoint.airbyte_message_to_string(last_words)}\n")
        PRINT_BUFFER.flush()
        end()
