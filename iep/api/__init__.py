"""The REST face of import maps."""
