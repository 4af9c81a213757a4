"""Tracker: the record of deployments, operations, drifts, incidents and RPA runs, its locks and its catalogue."""
