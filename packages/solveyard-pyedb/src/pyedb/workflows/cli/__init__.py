"""The commands, where the older document has them."""
