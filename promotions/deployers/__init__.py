"""Deployers: plug-ins that bring a version to an environment."""
