"""What the sub-commands do; each module is loaded when its command runs, so that `stamp --help` stays quick."""
