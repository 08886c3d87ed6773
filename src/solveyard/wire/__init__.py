"""What a manager and its agents share, frames first. Standard library, Python 3.8 and newer."""
