"""Airbyte source connector for tyntec's SMS API."""

from source_tyntec_sms.source import SourceTyntecSms

__all__ = ["SourceTyntecSms"]
