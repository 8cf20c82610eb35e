"""Every failure the connector knows: what to do about it, and the message that the user sees.

In the messages, {url} is the address of the API, and {cause} is the result of `client.describe`.
"""

from functools import partial

from airbyte_cdk import AirbyteTracedException, BaseBackoffException, FailureType
from airbyte_cdk.sources.streams.http.error_handlers import ErrorResolution, ResponseAction
from requests import exceptions

FAIL = ResponseAction.FAIL


class UnknownIdError(Exception):
    """tyntec's service has no status for a request id. The message is the reason."""


def failure(message: str, *failure_types: FailureType) -> AirbyteTracedException:
    """An error whose `message` the user sees as it is, by default one that the user can fix.

    Of several failure types the first one by name counts: config, system, transient.
    """
    failure_type = min(failure_types, key=str, default=FailureType.config_error)
    return AirbyteTracedException(message, message, failure_type)


def defect(message: str) -> AirbyteTracedException:
    """An error of tyntec or of the connector, which a user can only report."""
    return failure(f"{message} {REPORT_IT}", FailureType.system_error)


def as_failure(error: Exception) -> Exception:
    """`error` with a plain message: the CDK wraps that of the last attempt in its own words."""
    if isinstance(error, UnknownIdError):
        return error
    if isinstance(error, AirbyteTracedException):
        cause = error.__context__
        plain = cause if isinstance(cause, BaseBackoffException) else error
        return failure(str(plain), error.failure_type)
    return defect(f"Unexpected {type(error).__name__}: {error}.")


REPORT_IT = "Report it to the maintainers of this connector."
NEWER_ID = "Enter the requestId of a newer message in the setting 'SMS Message Request ID'."
UNKNOWN_ID = (
    "Unknown to tyntec: older than three months, sent with another key or account (the trial key "
    "and the live key differ), or an id of tyntec's Conversations or 2FA API."
)

_config_error = partial(ErrorResolution, FAIL, FailureType.config_error)
_system_error = partial(ErrorResolution, FAIL, FailureType.system_error)
_transient_error = partial(ErrorResolution, ResponseAction.RETRY, FailureType.transient_error)
PASS = ErrorResolution(ResponseAction.SUCCESS)  # to the stream, which knows what it means
OUTAGE = _transient_error(
    "tyntec failed with {cause}. You don't need to change anything. Try again later."
)
REJECTED_KEY = _config_error(
    "tyntec rejected the API key: {cause}. Check the setting 'Tyntec API Key'. Find the key in the "
    "tyntec Business Center, under API settings."
)
# Without JSON, a proxy in between sent them, and the request is retried.
PASSED_IF_JSON = (200, 400, 404, 410, 416, 422)

# Words of tyntec's gateway, Kong, in lower case. They say more than the status.
BY_PHRASE = {
    "no route matched": _config_error(
        "tyntec does not serve this path: {cause}. It no longer serves the BYON paths (contacts, "
        "phone numbers, phone registrations), although its reference describes them. Deselect this "
        "stream in the connection."
    ),
    "your ip address is not allowed": _config_error(
        "tyntec restricts the account to certain IP addresses: {cause}. Add the address of this "
        "machine, or those of Airbyte Cloud, to the IP restriction of the account in tyntec."
    ),
    "you cannot consume this service": _config_error(
        "The API key works, but not for this service: {cause}. Contact tyntec to enable the "
        "service for the account, or deselect this stream in the connection."
    ),
}
# By HTTP status, else by its first digit. Any other status is a failure that may pass.
BY_STATUS = {
    204: PASS,
    401: REJECTED_KEY,
    403: REJECTED_KEY,
    408: OUTAGE,
    429: ErrorResolution(
        FAIL,
        FailureType.transient_error,
        "tyntec limits the rate of requests: {cause}. Try again after the limit resets. If the "
        "limit per hour or day is lower than the number of request ids, no sync can complete: "
        "shorten the list of ids, or split it over several connections.",
    ),
    3: _system_error(
        "tyntec redirects the request: {cause}. The connector does not follow redirects, because "
        "the API key must not reach another address. " + REPORT_IT,
    ),
    4: _system_error("tyntec refused the request: {cause}. " + REPORT_IT),
}
# The first class that fits: an SSLError is a ConnectionError, too.
BY_EXCEPTION = {
    exceptions.SSLError: _transient_error(
        "Could not make a secure connection to {url}. Check the certificates of this machine "
        "(REQUESTS_CA_BUNDLE), and whether a proxy intercepts the connection."
    ),
    exceptions.ConnectionError: _transient_error(
        "Could not connect to {url}: {cause}. Check the firewall, DNS and proxy settings of this "
        "machine. If they are right, tyntec may be down: try again later."
    ),
    ValueError: _config_error(  # an invalid URL, or a proxy that needs another package
        "Could not send a request to {url}. Check the proxy in HTTPS_PROXY."
    ),
    Exception: _transient_error("{url} sent no complete response: {cause}. Try again later."),
}
# Words in the text of an exception, and the reason that they show.
REASONS = {
    "timed out": "timed out",
    "refused": "connection refused",
    "resolve": "DNS lookup failed",
    "": "connection lost",
}


def resolve(status: int, words: str, has_json: bool) -> ErrorResolution:
    """What a response means. `words`: what it says. has_json: whether the body is JSON."""
    for phrase, entry in BY_PHRASE.items():
        if phrase in words.lower():
            return entry
    if status in PASSED_IF_JSON:
        return PASS if has_json else OUTAGE
    return BY_STATUS.get(status, BY_STATUS.get(status // 100, OUTAGE))


def resolve_exception(error: object) -> ErrorResolution:
    """What an exception in place of a response means."""
    return next(entry for kind, entry in BY_EXCEPTION.items() if isinstance(error, kind))


def reason(error: object) -> str:
    """Why a connection failed, in a few words."""
    return next(words for part, words in REASONS.items() if part in str(error))
