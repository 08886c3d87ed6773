"""What to run: each solver's command, how far it is, and what its end means."""
