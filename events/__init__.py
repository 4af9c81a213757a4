"""What happened: the append-only fact log, its delivery, and the records and links around it."""
