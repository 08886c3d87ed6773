"""What runs on every machine: the agent, and the spawners that start and end commands."""
