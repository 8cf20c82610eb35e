"""The connector's speed and memory, compared with bare requests and with low-code."""
