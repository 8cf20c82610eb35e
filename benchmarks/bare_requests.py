"""The lower bound for message statuses: a pool of threads with `requests` and nothing else.

    python benchmarks/bare_requests.py config.json

It prints one line for each record.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests


def main(config: dict[str, Any]) -> None:
    """Read the status of each request id in `config`, with a session for each thread."""
    local = threading.local()
    ids = [config["message_request_id"], *config["additional_message_request_ids"]]

    def open_session() -> None:
        local.session = requests.Session()
        local.session.headers["apikey"] = config["api_key"]

    def read(request_id: str) -> Any:
        url = f"{config['api_url']}/messaging/v1/messages/{request_id}"
        response = local.session.get(url, timeout=60)
        response.raise_for_status()
        return response.json()

    with ThreadPoolExecutor(config["num_workers"], initializer=open_session) as pool:
        for status in pool.map(read, ids):
            print(json.dumps({"type": "RECORD", "record": status}, separators=(",", ":")))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
