"""What the pages of import maps show."""
