"""CDEvents: received, validated and stored; and what our own facts look like as CDEvents."""
