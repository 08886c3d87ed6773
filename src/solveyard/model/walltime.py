"""How long a job may run, in the forms that people write for the batch systems."""

import re

_UNLIMITED = frozenset({"unlimited", "infinite", "infinity", "none"})
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        r"(?P<m>\d+)",  # minutes: Slurm, LSF, PyEDB
        r"(?P<h>\d+):(?P<m>\d\d)",  # LSF's; see `seconds`
        r"(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d)",  # everybody's
        r"(?P<d>\d+)-(?P<h>\d\d?)(:(?P<m>\d\d)(:(?P<s>\d\d))?)?",  # Slurm's
        r"(?P<d>\d+)[.:](?P<h>\d\d?):(?P<m>\d\d):(?P<s>\d\d)",  # PyEDB's, Windows HPC's, PBS's
        r"(?=.)((?P<d>\d+)\s*d(ays?)?\s*)?((?P<h>\d+)\s*h((ou)?rs?)?\s*)?"
        r"((?P<m>\d+)\s*m(in(utes?)?)?\s*)?((?P<s>\d+)\s*s(ec(onds?)?)?)?",  # 1d 12h, 90 min
    )
)
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST = 20  #: digits


def seconds(text: str) -> int | None:
    """The time in s; None: no limit. Raises ValueError.

    Of the two readings of "12:30" it is hours and minutes, LSF's, not Slurm's minutes and
    seconds: taken for the longer time, no solve is ended early.
    """
    text = text.strip()
    if text.lower() in _UNLIMITED:
        return None
    for form in _FORMS:
        match = form.fullmatch(text) if len(text) <= 4 * _LONGEST else None
        if match is not None:
            parts = {name: int(digits) for name, digits in match.groupdict().items() if digits}
            if any(value >= 10**9 for value in parts.values()):
                break
            found = sum(_SECONDS[name] * value for name, value in parts.items())
            if found > 0:
                return found
    raise ValueError(
        "expected a time such as '24:00:00', '2-12:00:00', '1.12:00:00', '36h', '90' (minutes) or"
        " 'unlimited', above 0"
    )
