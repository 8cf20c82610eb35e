"""Runs the connector as a process."""

import io
import logging
import signal
import sys
from contextlib import suppress
from typing import Any

from airbyte_cdk import AirbyteLogFormatter
from airbyte_cdk.entrypoint import launch

from source_tyntec_sms.source import SourceTyntecSms

# Log records of the CDK by module and words. The connector says the same in plain words.
HIDDEN = (
    "http_client: ",
    "rate_limiting: ",
    "memory_monitor: ",
    "abstract_source: Encountered an exception",
    "abstract_source: During the sync, the following streams",
)


class LogFormatter(AirbyteLogFormatter):
    """Formats log records as Airbyte messages, without tracebacks."""

    def formatException(self, ei: Any) -> str:
        return ""


def is_for_users(record: logging.LogRecord) -> bool:
    """Whether a log record is printed. At debug level, those of the CDK are, too."""
    is_hidden = f"{record.module}: {record.getMessage()}".startswith(HIDDEN)
    is_plain = record.name.startswith("airbyte") and not is_hidden
    return is_plain or record.levelno <= logging.DEBUG


def run() -> None:
    """Run the command line. Ctrl-C ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # Windows has another default
    for handler in logging.getLogger().handlers:
        handler.setFormatter(LogFormatter())
        handler.addFilter(is_for_users)
    with suppress(BrokenPipeError):  # the reader is gone
        launch(SourceTyntecSms(), sys.argv[1:])
