"""Read streams with PyAirbyte into a database, and print the results of queries as JSON.

The argument is a JSON object: `config`, `streams`, the URL `database`, its `schema`, `queries`.
"""

import json
import sys
from typing import Any

import airbyte as ab
from sqlalchemy import make_url, text

order = json.loads(sys.argv[1])
url = make_url(order["database"])
common = {"schema_name": order["schema"], "cache_dir": "."}
if url.drivername == "duckdb":
    cache = ab.caches.DuckDBCache(db_path=url.database, **common)
else:
    login = {"username": url.username, "password": url.password}
    cache = ab.caches.PostgresCache(
        host=url.host, port=url.port, database=url.database, **login, **common
    )
source = ab.get_source(
    "source-tyntec-sms",
    local_executable="source-tyntec-sms",
    config=order["config"],
    streams=order["streams"],
)
result: dict[str, Any] = {"error": None, "rows": []}
try:
    source.check()
    source.read(cache)
except ab.exceptions.AirbyteConnectorError as error:
    result["error"] = str(error)
with cache.get_sql_engine().connect() as connection:
    for query in order["queries"]:
        rows = connection.execute(text(query.format(schema=order["schema"])))
        result["rows"].append([[*row] for row in rows])
print(json.dumps(result, default=str))
