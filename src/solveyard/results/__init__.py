"""What was measured, as people look at it: a table, curves over each other, a picture."""
