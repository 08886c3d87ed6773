"""The settings: files of site, user and project, then the environment, then the command line."""

from solveyard.config.layers import DEFAULT, Found, Given, Places, load

__all__ = ["DEFAULT", "Found", "Given", "Places", "load"]
