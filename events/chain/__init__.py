"""The chain: how tickets, changes, builds, requests, deployments and incidents hang together, and what follows from it."""
