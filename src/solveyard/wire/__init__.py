"""Frames between a manager and its agents. Standard library, Python 3.8 and newer."""
