"""The pages of tickets: each parses, calls one service, presents."""
