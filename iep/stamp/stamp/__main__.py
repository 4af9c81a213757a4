"""`python -m stamp`."""

from stamp.cli import main

main()
