"""The floor: what `requests` in a pool of threads takes for the same requests, and nothing around it.

    python benchmarks/bare_requests.py config.json

The configuration is the one of the low-code manifest. It prints one line per record. For a configuration without
request ids it fetches the list of contacts, once, and prints nothing: how long the server takes for that.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests


def main(config: dict[str, Any]) -> None:
    """Fetch what `config` asks for, with a session for each thread."""
    local = threading.local()

    def open_session() -> None:
        local.session = requests.Session()
        local.session.headers["apikey"] = config["api_key"]

    def fetch(path: str) -> requests.Response:
        response: requests.Response = local.session.get(config["api_url"] + path, timeout=60)
        response.raise_for_status()
        return response

    def fetch_status(request_id: str) -> Any:
        return fetch(f"messaging/v1/messages/{request_id}").json()

    with ThreadPoolExecutor(config["num_workers"], initializer=open_session) as pool:
        for status in pool.map(fetch_status, config["request_ids"]):
            print(json.dumps({"type": "RECORD", "record": status}, separators=(",", ":")))
        if not config["request_ids"]:
            pool.submit(fetch, "byon/contacts/v1").result()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
