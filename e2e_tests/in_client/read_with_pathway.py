"""Read statuses with Pathway into a file: read_with_pathway.py CONNECTION FILE."""

import os
import sys

import pathway as pw

connection, file = sys.argv[1:]
table = pw.io.airbyte.read(
    connection,
    streams=["message_status"],
    mode="static",
    enforce_method="pypi",
    env_vars=dict(os.environ),
)
pw.io.jsonlines.write(table, file)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
