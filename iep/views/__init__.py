"""The pages of import maps."""
