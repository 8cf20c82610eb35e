"""What the connector's speed and memory are measured against."""
