"""Django settings: `base` for all, then one of `demo`, `production`, `test`."""
