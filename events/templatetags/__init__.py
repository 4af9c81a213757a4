"""Template tags of the fact log and its notices."""
