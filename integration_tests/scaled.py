"""The connector's command line with shorter waits and time limits, for tests.

    python -m integration_tests.scaled 0.02 longest_hold=2 read --config … --catalog …

The number is the factor for every duration of the retry policies; after it come durations in seconds that are not
multiplied.
"""

import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from source_tyntec_sms.run import run
from source_tyntec_sms.session import CHECK, READ, RetryPolicy
from source_tyntec_sms.source import SourceTyntecSms


def scaled(policy: RetryPolicy, factor: float, durations: Mapping[str, float]) -> RetryPolicy:
    """`policy` with every duration multiplied by `factor`, but for those in `durations`."""
    names = [field.name for field in fields(policy) if field.name != "max_attempts"]
    changed: dict[str, Any] = {name: getattr(policy, name) * factor for name in names} | dict(durations)
    return replace(policy, **changed)


if __name__ == "__main__":
    factor = float(sys.argv.pop(1))
    durations = {}
    while "=" in sys.argv[1]:
        name, _, seconds = sys.argv.pop(1).partition("=")
        durations[name] = float(seconds)
    run(SourceTyntecSms(scaled(READ, factor, durations), scaled(CHECK, factor, durations)))
