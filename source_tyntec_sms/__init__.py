"""Airbyte source connector for tyntec's SMS API."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import the source only when it is asked for: `run` has something to do before the CDK is loaded."""
    if name != "SourceTyntecSms":
        raise AttributeError(name)
    from source_tyntec_sms.source import SourceTyntecSms  # noqa: PLC0415

    return SourceTyntecSms
