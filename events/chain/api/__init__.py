"""The REST face of the chain, environments, freezes and measures."""
