"""The live stream of facts: one listener per process, fanned out in memory to whoever may know of each."""
