"""Channels that tell people and systems of facts; one plug-in per file, named in the SUBSCRIBERS setting."""
