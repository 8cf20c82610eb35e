"""The process: its command line, its output, its end, and whatever works around the CDK's own command line (7.39)."""

# ruff: noqa: E402
import gc
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the CDK is imported ends the process without a traceback
gc.disable()  # what is imported is no garbage

import argparse
import io
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from airbyte_cdk import models
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER, AirbyteLogFormatter, is_platform_debug_log_enabled
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_tyntec_sms.config import Config
from source_tyntec_sms.errors import config_error, in_plain_words, traced
from source_tyntec_sms.source import SourceTyntecSms

SECONDS_TO_STOP = 4
# What the CDK logs in words of its own, while the connector says it in plain ones: module, lowest level, phrase.
CDK_LOGS = (
    ("abstract_source", logging.WARNING, ""),  # the traceback of a failed stream
    ("abstract_source", logging.INFO, "did not sync successfully"),  # a summary made of repr()
    ("entrypoint", logging.WARNING, "serialization"),  # an integer above 64 bits, which is printed all the same
    ("memory_monitor", logging.INFO, ""),  # its own thresholds
    ("rate_limiting", logging.INFO, ""),  # each retry
)
COMMANDS = {
    "spec": ("print the settings of a connection as JSON schema", ()),
    "check": ("test whether the API key and the request id can be used", ("config",)),
    "discover": ("print the streams and their JSON schemas", ("config",)),
    "read": ("print the records of the streams in the catalog", ("config", "catalog")),
}
EXAMPLE = "example: source-tyntec-sms read --config config.json --catalog configured_catalog.json"
DISCOVERED = "is what discover prints. A configured catalog is needed, which also names the sync modes of each stream"

logger = logging.getLogger("airbyte")


def run(source: SourceTyntecSms | None = None) -> NoReturn:
    """Run the command line. The exit code is 1 if a command or a sync failed, 2 if the command line is wrong."""
    arguments = _parse(sys.argv[1:] or ["--help"])
    gc.freeze()
    gc.enable()
    warnings.simplefilter("ignore")
    output = io.BufferedWriter(_Output(1, "w", closefd=False))
    sys.__stdout__ = io.TextIOWrapper(output, encoding="utf-8", errors="backslashreplace")  # type: ignore[misc]
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of odd headers with a traceback
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Formatter())
        handler.addFilter(_is_not_the_cdks_own)
    if arguments.debug or is_platform_debug_log_enabled():
        logger.setLevel(logging.DEBUG)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _stop)
    threading.Thread(target=_flush_every_second, daemon=True).start()
    exit_code = 0
    try:
        for message in _messages(source or SourceTyntecSms(), arguments):
            _write(message)
    except Exception as error:
        plain = in_plain_words(error)
        if arguments.command == "check":  # which answers with a status, whatever happens
            _write(_connection_status(models.Status.FAILED, str(plain)))
        else:
            _write(plain.as_sanitized_airbyte_message())
            exit_code = 1
    PRINT_BUFFER.flush()
    os._exit(exit_code)  # sys.exit would wait for threads that wait for a retry


def _parse(words: list[str]) -> argparse.Namespace:
    """The arguments of the CDK's command line, without those for low-code connectors."""
    parser = argparse.ArgumentParser("source-tyntec-sms", epilog=EXAMPLE)
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    for name, (what, files) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what, epilog=EXAMPLE)
        command.add_argument("--debug", action="store_true", help="log every request")
        for file in files:
            command.add_argument(f"--{file}", required=True, metavar="FILE", help=f"the JSON file with the {file}")
        if name == "read":
            command.add_argument("--state", metavar="FILE", help="ignored: every sync reads everything")
    return parser.parse_args(words)


def _messages(source: SourceTyntecSms, arguments: argparse.Namespace) -> Iterator[models.AirbyteMessage]:
    spec = source.spec(logger)
    if arguments.command == "spec":
        yield models.AirbyteMessage(type=models.Type.SPEC, spec=spec)
        return
    config = _read_json("configuration", arguments.config)
    for warning in Config.parse(config).warnings:
        logger.warning(warning)
    entrypoint = AirbyteEntrypoint(source)  # which on Airbyte Cloud also closes private networks to requests
    if arguments.command == "check":
        outcome = source.check(logger, config)
        yield _connection_status(outcome.status, outcome.message)
    elif arguments.command == "discover":
        yield from entrypoint.discover(spec, config)
    else:
        catalog = _read_catalog(arguments.catalog)
        failed: dict[str, models.FailureType | None] = {}
        try:
            yield from _note_failures(_unknown_streams(catalog, source.streams(config)), failed)
            yield from _note_failures(entrypoint.read(spec, config, catalog, []), failed)
        except AirbyteTracedException:  # the CDK's own summary, which is made of repr()
            if not failed:
                raise
        if failed:
            types = set(failed.values())
            raise traced(
                f"Streams not read in full: {', '.join(failed)}. The error of each says why.",
                (len(types) == 1 and types.pop()) or models.FailureType.config_error,
            )


def _note_failures(
    messages: Iterable[models.AirbyteMessage], failed: dict[str, models.FailureType | None]
) -> Iterator[models.AirbyteMessage]:
    for message in messages:
        error = message.trace.error if message.trace else None
        if error and error.stream_descriptor:
            failed[error.stream_descriptor.name] = error.failure_type
        yield message


def _unknown_streams(
    catalog: models.ConfiguredAirbyteCatalog, streams: Iterable[Stream]
) -> Iterator[models.AirbyteMessage]:
    """Take the streams that do not exist out of `catalog` and fail each: the CDK would end them without an error."""
    names = [stream.name for stream in streams]
    for configured in [configured for configured in catalog.streams if configured.stream.name not in names]:
        catalog.streams.remove(configured)
        stream = models.StreamDescriptor(name=configured.stream.name)
        yield as_airbyte_message(stream, models.AirbyteStreamStatus.INCOMPLETE)
        yield config_error(
            f"This source has no stream {stream.name}. It has {', '.join(names)}. Refresh the source schema of the "
            "connection, and deselect the stream."
        ).as_airbyte_message(stream_descriptor=stream)


def _read_json(kind: str, path: str) -> dict[str, Any]:
    content = b""
    try:
        content = Path(path).read_bytes()
        document = json.loads(content)
        if isinstance(document, dict):
            return document
        problem = "does not hold a JSON object"
    except FileNotFoundError:
        problem = "does not exist"
    except OSError as error:
        problem = f"cannot be read: {os.strerror(error.errno or 0)}"
    except json.JSONDecodeError as error:
        problem = f"is not JSON: see line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        problem = "is not JSON in UTF-8"
    raise config_error(f"The {kind} file {path} {DISCOVERED if b'CATALOG' in content else problem}.")


def _read_catalog(path: str) -> models.ConfiguredAirbyteCatalog:
    document = _read_json("catalog", path)
    try:
        catalog: models.ConfiguredAirbyteCatalog = models.ConfiguredAirbyteCatalogSerializer.load(document)
    except Exception:
        problem = DISCOVERED if "json_schema" in str(document) else "is not a configured catalog"
        raise config_error(f"The catalog file {path} {problem}.") from None
    if not catalog.streams:
        logger.warning("The catalog %s selects no stream, so nothing is read.", path)
    for configured in catalog.streams:
        if configured.sync_mode != models.SyncMode.full_refresh:
            name = configured.stream.name
            logger.warning("tyntec's API has no incremental sync: the stream %s is read in full.", name)
    # Streams are read one after another. The lists go first: they take seconds.
    catalog.streams.sort(key=lambda configured: configured.stream.name == "message_status")
    return catalog


def _connection_status(status: models.Status, message: str | None) -> models.AirbyteMessage:
    outcome = models.AirbyteConnectionStatus(status=status, message=message and filter_secrets(message))
    return models.AirbyteMessage(type=models.Type.CONNECTION_STATUS, connectionStatus=outcome)


class _Formatter(logging.Formatter):
    """Log lines as Airbyte messages, with the secrets in their words masked.

    The CDK's formatter masks them in the JSON, which a key such as `type` breaks, and appends tracebacks.
    """

    def format(self, record: logging.LogRecord) -> str:
        words = record.getMessage()
        if record.levelno <= logging.DEBUG:
            words += f" {AirbyteLogFormatter.extract_extra_args_from_record(record)}"
        level = AirbyteLogFormatter.level_mapping.get(record.levelno, models.Level.INFO)
        log = models.AirbyteLogMessage(level=level, message=filter_secrets(words))
        return AirbyteEntrypoint.airbyte_message_to_string(models.AirbyteMessage(type=models.Type.LOG, log=log))


def _is_not_the_cdks_own(record: logging.LogRecord) -> bool:
    return record.levelno <= logging.DEBUG or not any(
        record.module == module and record.levelno >= level and phrase in record.getMessage()
        for module, level, phrase in CDK_LOGS
    )


class _Output(io.FileIO):
    """stdout. If it cannot be written to, because its reader is gone or the disk is full, the process ends at once."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            os._exit(1)


def _write(message: models.AirbyteMessage) -> None:
    PRINT_BUFFER.write(f"{AirbyteEntrypoint.airbyte_message_to_string(message)}\n")


def _flush_every_second() -> None:
    """The CDK's buffer waits for the next message, which may be long in coming."""
    while True:
        time.sleep(1)
        PRINT_BUFFER.flush()


def _stop(signum: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    # In threads of their own: this one may be in the middle of writing, or the reader of the output may be gone.
    threading.Thread(target=_say_and_die, args=(signum,), daemon=True).start()
    threading.Thread(target=_die, args=(signum, SECONDS_TO_STOP), daemon=True).start()


def _say_and_die(signum: int) -> None:
    with PRINT_BUFFER.lock:  # whoever holds it is writing: after that, no half line is on the output
        logger.warning("Stopped by %s, before all was read.", signal.Signals(signum).name)
        PRINT_BUFFER.flush()
        _die(signum, 0)


def _die(signum: int, seconds: float) -> NoReturn:
    """End as a process does that the signal kills: PyAirbyte ends a check by SIGTERM, and takes 143 for a failure."""
    time.sleep(seconds)
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # the first process of a container survives its own signal
