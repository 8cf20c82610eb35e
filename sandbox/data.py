"""The data of the sandbox: one message status of each documented shape, and generators of rows.

A new list endpoint needs an entry in `LISTS` and nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

TODAYS_ID = "e74db8d4-77ad-4671-8feb-9bc76b0df188"
OLDER_ID = "12-75cfafba-8799-4f2b-8505-ece6af6abf01"
BUFFERED_ID = "0b9c8f26-58a7-4f0e-9a6d-0f3c1f7c2a51"
EXPIRED_ID = "5d2f0c5e-33f5-4d8e-8a0b-61d6fbb0a4de"
HALF_EMOJI_ID = "a1f7c1d3-0d53-49f1-92c1-2f4a7f5f8f10"
LEAN_ID = "f3e1a1de-8f35-4a39-8f0e-3f7a55a5b6c2"

STATUSES: dict[str, Row] = {
    TODAYS_ID: {
        "requestId": TODAYS_ID,
        "status": "DELIVERED",
        "from": "tyntec",
        "to": "+49123456789",
        "submitDate": "2020-05-11T11:46:41+00:00",
        "doneDate": "2020-05-11T11:46:44+00:00",
        "href": f"https://api.tyntec.com/messaging/v1/messages/{TODAYS_ID}",
        "mccmnc": "26201",
        "ttid": 77292,
        "overallPrice": "0.01",
        "priceEffective": "2018-06-01T00:00:00+0200",
        "reference": "order 4711",
        "size": 2,
        "parts": [
            {
                "partId": f"{TODAYS_ID}-{number}",
                "deliveryState": "DELIVERED",
                "doneDate": "2020-05-11T11:46:44+00:00",
                "price": "0.005",
                "currency": "EUR",
                "priceEffective": "2018-06-01T00:00:00+0200",
                "statusText": "Your order 4711 has ",
            }
            for number in (1, 2)
        ],
    },
    # An older revision of the API: the price is a number, the size a string.
    OLDER_ID: {
        "requestId": OLDER_ID,
        "status": "UNDELIVERABLE",
        "from": "+49123456780",
        "to": "+49123456781",
        "submitDate": "2018-06-01T00:00:00+0200",
        "doneDate": "2018-06-01T00:00:09+0200",
        "errorCode": "0006",
        "errorReason": "absent subscriber",
        "overallPrice": 0.02,
        "size": "2",
    },
    BUFFERED_ID: {
        "requestId": BUFFERED_ID,
        "status": "BUFFERED",
        "to": "+4366412345678",
        "submitDate": "2026-11-20T08:15:00Z",
        "size": 1,
        "parts": [],
        "channel": {"name": "sms", "priority": 1},  # not documented
    },
    EXPIRED_ID: {
        "requestId": EXPIRED_ID,
        "status": "EXPIRED",
        "submitDate": "2026-11-01T10:00:00+01:00",
        "errorReason": None,
    },
    HALF_EMOJI_ID: {
        "requestId": HALF_EMOJI_ID,
        "status": "ACCEPTED",
        "parts": [{"partId": "1", "statusText": "Happy new year to u\ud83c", "price": "-0.005"}],
    },
    LEAN_ID: {"requestId": LEAN_ID, "status": "REJECTED"},
}


def status(request_id: str) -> Row:
    """The status of a delivered message."""
    return {**STATUSES[TODAYS_ID], "requestId": request_id}


def contacts(count: int) -> list[Row]:
    """Contacts that differ in ids, names and dates."""
    return [
        {
            "accountId": "CPaasAccountName",
            "contactId": f"{number:032x}",
            "friendlyName": f"Branch {number}",
            "companyName": "Example GmbH",
            "companyAddress": f"Hauptstr. {number}, 44137 Dortmund",
            "contactName": f"Erika Mustermann {number}",
            "contactEmail": f"branch{number}@example.com",
            "contactPhone": f"+49231{number:09d}",
            "contactTitle": "Dr.",
            "dateCreated": 1521036849011 + number,
            "dateUpdated": 1521036849011 + number,
            "timestampCreated": "2018-03-14T14:14:09.011Z",
            "timestampUpdated": "2018-03-14T14:14:09.011+0000",
        }
        for number in range(count)
    ]


def phone_numbers(count: int) -> list[Row]:
    """Phone numbers. The rows of one request are equal, because no documented field differs."""
    return [
        {
            "accountId": "CPaasAccountName",
            "contactId": f"{number // 100:032x}",
            "friendlyName": "hotline",
            "requestId": f"{number // 4:032x}",
            "status": "PROVISIONED",
        }
        for number in range(count)
    ]


def phone_registrations(count: int) -> list[Row]:
    """Provisioning requests. The first one is not completed."""
    return [
        {
            "accountId": "CPaasAccountName",
            "contactId": f"{number:032x}",
            "requestId": f"{number:032x}",
            "friendlyName": "hotline",
            "status": "PROVISIONED" if number else "LOA_PENDING",
            "dateProvisioningRequest": 1521205266416,
            "dateProvisioningUpdated": 1521205267953,
            "dateProvisioningCompleted": 1521205267953 if number else 0,
            "loaId": "313e1006-703a-4720-bf01-1d2b6305f45a",
            "loaStatus": "sent",
        }
        for number in range(count)
    ]


@dataclass(frozen=True)
class Listing:
    """A list endpoint with `count` rows by default. `paged`: it takes `page` and `size`."""

    path: str
    rows_field: str
    rows: Callable[[int], list[Row]]
    count: int
    paged: bool = False


STATUS_PATH = "/messaging/v1/messages/"
_REQUESTS = "provisioningRequests"
LISTS = {
    "contacts": Listing("/byon/contacts/v1", "contacts", contacts, 3),
    "phone_numbers": Listing("/byon/phonebook/v1/numbers", _REQUESTS, phone_numbers, 3210, True),
    "phone_registrations": Listing("/byon/provisioning/v1", _REQUESTS, phone_registrations, 2),
}
STREAMS = ("message_status", *LISTS)
PATHS = re.compile("|".join([f"{STATUS_PATH}[^/?]+", *(each.path for each in LISTS.values())]))
"""The paths that tyntec documents and the connector may request."""
