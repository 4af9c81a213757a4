"""Tests of the pages of events."""
