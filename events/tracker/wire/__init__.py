"""Tracker's wire: one description (the .proto files) read by both faces, JSON and gRPC."""
