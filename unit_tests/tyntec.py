"""tyntec's API: its addresses, and its responses, as requests-mock takes them."""

from typing import Any

API = "https://api.tyntec.com"
STATUSES = f"{API}/messaging/v1/messages/"
CONTACTS = f"{API}/byon/contacts/v1"
NUMBERS = f"{API}/byon/phonebook/v1/numbers"
REGISTRATIONS = f"{API}/byon/provisioning/v1"
LISTS = {"contacts": CONTACTS, "phone_numbers": NUMBERS, "phone_registrations": REGISTRATIONS}
STREAMS = {"message_status": f"{STATUSES}id-1", **LISTS}
KEY = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3"
Reply = dict[str, Any]


def status(request_id: str = "id-1", **fields: Any) -> Reply:
    return {"json": {"requestId": request_id, **fields}}


def problem(status_code: int, title: str) -> Reply:
    """A problem document of the SMS service."""
    return {"status_code": status_code, "json": {"title": title, "status": status_code}}


def gateway(status_code: int, message: str, **headers: str) -> Reply:
    """A response of Kong. An underscore in the name of a header stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status_code": status_code, "json": {"message": message}, "headers": named}


UNKNOWN = problem(404, "Not Found")
NO_ROUTE = gateway(404, "no Route matched with those values")
REJECTED = gateway(403, "Invalid authentication credentials")
LIMITED = gateway(429, "API rate limit exceeded")
UNAVAILABLE: Reply = {"status_code": 503}
HTML = "<html>Not here</html>"
EVERYTHING = status(contacts=[{}], provisioningRequests=[{}])  # a success on each path
