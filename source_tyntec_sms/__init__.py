"""Airbyte source connector for tyntec's SMS API."""

from typing import Any

__all__ = ["SourceTyntecSms"]


def __getattr__(name: str) -> Any:
    """Import the source only when it is asked for: `run` has something to do before the CDK is loaded."""
    if name not in __all__:
        raise AttributeError(name)
    from source_tyntec_sms import source  # noqa: PLC0415

    return source.SourceTyntecSms
