"""How a program of a stand-in says that it didn't do what it was asked."""


class Failed(Exception):
    """It writes `text` as its error, and ends with `code`."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text = text if text.endswith("\n") else f"{text}\n"
        self.code = code


def unknown(program: str, option: str) -> Failed:
    return Failed(f"{program}: this stand-in does not know {option!r}", 2)
