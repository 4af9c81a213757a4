"""`python iep/stamp`: the command line from a checkout, without installing it."""

from stamp.cli import main

main()
