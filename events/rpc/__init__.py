"""Tracker over gRPC: the same operations as REST, in a process of their own."""
