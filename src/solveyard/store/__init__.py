"""Memory: events and records, on disk before anything is done about them."""
