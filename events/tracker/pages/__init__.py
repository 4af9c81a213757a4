"""The pages of events, locks and the catalogue: each parses, calls one service, presents."""
