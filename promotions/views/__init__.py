"""The pages of promotion requests: each parses, calls one service, presents."""
