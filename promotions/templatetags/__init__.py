"""Template tags of promotion requests."""
