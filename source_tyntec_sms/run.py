"""Runs the connector as a process: arguments, output, exit, and the workarounds for those of the CDK (as of 7.39)."""

# ruff: noqa: E402
import gc
import os
import signal
from contextlib import suppress

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the CDK is imported ends the process without a traceback
gc.disable()  # imports create hardly any garbage: collecting only slows them
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looking for plugins takes time
with suppress(ImportError):
    import attributes_doc

    # The CDK's serializers use it to parse source code for documentation that nobody reads. Up to Python 3.12, that
    # takes half a second of every start. There is no setting for it. Its interface names the argument.
    attributes_doc.get_attributes_doc = lambda cls: {}  # noqa: ARG005

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from airbyte_cdk import AirbyteEntrypoint, AirbyteLogFormatter, models
from airbyte_cdk.logger import is_platform_debug_log_enabled
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms.config import Config
from source_tyntec_sms.errors import ANSWERS, FAILURE_TYPES, in_plain_words, traced
from source_tyntec_sms.source import SourceTyntecSms

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_TO_STOP = 4
# What the CDK logs in words of its own, while the connector says it in plain ones: module, and phrase.
CDK_LOGS = (
    ("abstract_source", "Encountered an exception"),  # the traceback of a failed stream
    ("abstract_source", "did not sync successfully"),  # a summary made of repr()
    ("entrypoint", "serialization"),  # an integer above 64 bits, which is printed all the same
    ("memory_monitor", ""),  # its own thresholds
    ("rate_limiting", ""),  # each retry
)
# The CDK's own help lists what only low-code connectors take.
HELP = """\
usage: source-tyntec-sms spec                                         show the settings
       source-tyntec-sms check --config FILE                          test the settings in a JSON file
       source-tyntec-sms discover --config FILE                       list the streams
       source-tyntec-sms read --config FILE --catalog FILE [--debug]  read those in the configured catalog
example: source-tyntec-sms read --config config.json --catalog configured_catalog.json"""
logger = logging.getLogger("airbyte")
_print_lock = threading.RLock()


def run(source: SourceTyntecSms | None = None) -> NoReturn:
    """Run the command line, or show help. The exit code is 1 if a command failed, 2 if the command line is wrong."""
    words = sys.argv[1:] or ["--help"]
    if not {"-h", "--help"}.isdisjoint(words):
        print(HELP)
        sys.exit()
    arguments = AirbyteEntrypoint.parse_args(words)
    try:
        # A stdout that does not block, or that Python does not buffer (PYTHONUNBUFFERED), loses lines to a slow reader.
        os.set_blocking(1, True)
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    except OSError:
        os._exit(1)  # it is closed
    gc.freeze()
    gc.enable()
    warnings.simplefilter("ignore")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of odd headers with a traceback
    handler = _LogHandler()
    handler.lock = _print_lock  # one lock for logging and printing: two could wait for each other
    logging.getLogger().handlers = [handler]
    if arguments.debug or is_platform_debug_log_enabled():
        logger.setLevel(logging.DEBUG)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # in all threads: they come to the one that waits for them
    threading.Thread(target=_await_signal, daemon=True).start()
    try:
        for message in _messages(source or SourceTyntecSms(), arguments):
            _write(message)
    except Exception as error:
        plain = in_plain_words(error)
        # A check answers with a status, unless the connector itself is at fault.
        failed_check = plain.as_connection_status_message() if arguments.command == "check" else None
        _write(failed_check or plain.as_sanitized_airbyte_message())
        os._exit(0 if failed_check else 1)
    os._exit(0)  # sys.exit would wait for threads that wait for a retry


def _messages(source: SourceTyntecSms, arguments: Any) -> Iterator[models.AirbyteMessage]:
    entrypoint = AirbyteEntrypoint(source)  # which on Airbyte Cloud also blocks requests to private networks
    spec = source.spec(logger)
    if arguments.command == "spec":
        yield models.AirbyteMessage(type=models.Type.SPEC, spec=spec)
        return
    config = _load(arguments.config, lambda document: {**document}, "the settings as a JSON object")
    for warning in Config.parse(config).warnings:
        logger.warning(warning)
    if arguments.command == "check":  # not the CDK's, which would validate the settings in its own words
        yield models.AirbyteMessage(type=models.Type.CONNECTION_STATUS, connectionStatus=source.check(logger, config))
    elif arguments.command == "discover":
        yield from entrypoint.discover(spec, config)
    else:
        messages = entrypoint.read(spec, config, _catalog(arguments.catalog), [])
        yield from _read(messages, lambda: source.streams(config))


def _read(messages: Iterable[models.AirbyteMessage], streams: Callable[[], Any]) -> Iterator[models.AirbyteMessage]:
    """The messages of a sync, with an error at the end if any stream failed. `streams`: makes those of the source."""
    failed: dict[str, models.FailureType] = {}
    try:
        for message in messages:
            error = message.trace.error if message.trace else None
            if error and error.stream_descriptor:
                name = error.stream_descriptor.name
                failed[name] = error.failure_type or models.FailureType.system_error
                if name not in (known := [stream.name for stream in streams()]):  # the CDK does not say which there are
                    unknown = ANSWERS["problems"]["unknown stream"].error(stream=name, known=", ".join(known))
                    error.message = filter_secrets(str(unknown))
            yield message
    except Exception:
        if not failed:  # otherwise it is the CDK's own summary, which is made of repr()
            raise
    if failed:
        words = f"Streams not read in full: {', '.join(failed)}. The error of each says why."
        raise traced(words, min(failed.values(), key=FAILURE_TYPES.index))


def _load(path: str, convert: Callable[[Any], Any], what: str) -> Any:
    """The JSON document in a file, as `convert` makes it. `what`: what the file must hold."""
    try:
        content = Path(path).read_bytes()
        return convert(json.loads(content))
    except OSError as error:
        problem = f"cannot be read: {os.strerror(error.errno or 0)}"
    except json.JSONDecodeError as error:
        problem = f"is not JSON: see line {error.lineno}, column {error.colno}"
    except Exception:
        is_discovered = b'"json_schema"' in content and b'"sync_mode"' not in content
        problem = f"holds {'the output of discover' if is_discovered else 'something else'}"
    raise traced(f"The file {path} {problem}. It must hold {what}.")


def _catalog(path: str) -> models.ConfiguredAirbyteCatalog:
    what = "a configured catalog, which also names the sync mode of each stream"
    catalog: models.ConfiguredAirbyteCatalog = _load(path, models.ConfiguredAirbyteCatalogSerializer.load, what)
    if not catalog.streams:
        logger.warning("The catalog %s selects no stream, so nothing is read.", path)
    for configured in catalog.streams:
        if configured.sync_mode != models.SyncMode.full_refresh:
            logger.warning("tyntec has no incremental sync: the stream %s is read in full.", configured.stream.name)
    # Streams are read one after another. The lists go first: they take seconds.
    catalog.streams.sort(key=lambda configured: configured.stream.name == "message_status")
    return catalog


class _LogHandler(logging.Handler):
    """Prints log lines as Airbyte messages, with secrets masked. Those in `CDK_LOGS` are dropped.

    The CDK's formatter masks secrets in the JSON, which a key such as `type` breaks, and appends tracebacks.
    """

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if record.levelno <= logging.DEBUG:
            words += f" {AirbyteLogFormatter.extract_extra_args_from_record(record)}"
        elif any(record.module == module and phrase in words for module, phrase in CDK_LOGS):
            return
        level = AirbyteLogFormatter.level_mapping.get(record.levelno, models.Level.INFO)
        log = models.AirbyteLogMessage(level=level, message=filter_secrets(words))
        _write(models.AirbyteMessage(type=models.Type.LOG, log=log))


def _write(message: models.AirbyteMessage) -> None:
    """Print a message. If that fails, the reader is gone or the disk is full: the process ends at once."""
    line = AirbyteEntrypoint.airbyte_message_to_string(message)
    with _print_lock:
        try:
            print(line, flush=message.type != models.Type.RECORD)
        except OSError:
            os._exit(1)


def _await_signal() -> None:
    """Wait for a signal that stops the process, and end as if it had killed it. A few seconds are left for output.

    PyAirbyte ends a check by SIGTERM, and takes the exit code 143 for a failure.
    """
    signum = signal.sigwait(STOP_SIGNALS)
    threading.Timer(SECONDS_TO_STOP, os._exit, (128 + signum,)).start()  # perhaps nobody reads what is written
    with _print_lock:  # whoever holds it is printing: after that, no half line is on the output
        logger.warning("Stopped by %s, before all was read.", signal.Signals(signum).name)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        os.kill(os.getpid(), signum)
        os._exit(128 + signum)  # the first process of a container survives its own signal
