"""What a licence server says is in use: the query, and how its answer is read."""

from solveyard.licensing.query import LicenceServer, Licensing

__all__ = ["LicenceServer", "Licensing"]
