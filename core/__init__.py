"""Leaf without models and domain words: errors, transition tables, plug-in loading, transport adapters."""
