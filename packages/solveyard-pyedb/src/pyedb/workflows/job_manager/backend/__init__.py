"""The same modules again: the documents name them by both paths."""
