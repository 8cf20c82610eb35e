"""Runs the connector: python main.py spec|check|discover|read."""

from source_tyntec_sms.run import run

if __name__ == "__main__":
    run()
