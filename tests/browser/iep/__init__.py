"""Import maps in Chromium."""
