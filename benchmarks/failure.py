"""Why there is no figure."""


class CannotMeasure(Exception):
    """Something that a measurement needs is missing or failed; one sentence says what."""
