"""How a service's log looks to people: a line for each record, with the facts that belong to it."""

import logging

_ALWAYS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class WithFacts(logging.Formatter):
    """A record's line, followed by what its `extra` has."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        facts = {name: value for name, value in vars(record).items() if name not in _ALWAYS}
        told = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        return super().formatMessage(record) + (f" ({told})" if told else "")


def to_standard_error(form: str = logging.BASIC_FORMAT) -> None:
    """Of this process; does nothing where its log goes somewhere already."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithFacts(form))
    logging.basicConfig(handlers=[handler])
