"""What import maps tell people and systems outside."""
