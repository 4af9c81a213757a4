"""Runs the whole system on one machine: embedded servers, a supervisor and the one command that starts them."""
