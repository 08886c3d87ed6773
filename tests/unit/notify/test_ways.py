"""A notice is taken when its receiver says so, and never too long for a command to start."""

import asyncio
import html
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from solveyard.notify import ways
from solveyard.notify.ways import ANSWER, VARIABLE, Program, Undelivered, Webhook
from solveyard.secret import Secret


async def _answered(head: bytes) -> int:
    """How often a webhook was asked that sends `head`, and leaves its answer open."""
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        async with asyncio.timeout(8):
            await Webhook(url=f"http://{host}:{port}/").deliver("n", b"{}", {})
    finally:
        over.set()
        server.close()
    return asked


async def test_two_hundred_is_taken_though_the_rest_of_the_answer_never_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it"
    assert await _answered(head) == 1


async def test_a_refusal_tells_what_it_said() -> None:
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nfull"
    with pytest.raises(Undelivered, match="it answered 500: full"):
        await _answered(head)


async def test_a_refusal_whose_text_never_ends_is_told_by_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ways, "POST", 0.5)
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nnot all of it"
    with pytest.raises(Undelivered) as told:
        await _answered(head)
    assert str(told.value) == "it answered 500"


@asynccontextmanager
async def _hook(says: Callable[[str], list[str]]) -> AsyncIterator[str]:
    """A server; it sends what `says` makes of the path that it was asked for, piece by piece."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        for piece in says(path):
            writer.write(piece.encode())
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


def _refusal(text: str) -> str:
    return f"HTTP/1.1 404 No\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}"


#: A secret, and how it is sent as part of an address.
SENT = [
    ("q7%2FxYz%2Babc%3D%3D", "q7%2FxYz%2Babc%3D%3D"),
    ("pct%41xYz", "pct%41xYz"),
    ("b64+/==xYz", "b64+/==xYz"),
    ("with xYz|pipe", "with%20xYz%7Cpipe"),
    ("h\u00e9xYz", "h%C3%A9xYz"),
    ("q?xYz#part", "q%3FxYz%23part"),
    ("50%off-xYz", "50%25off-xYz"),
]


@pytest.mark.parametrize("place", ["/hook/{secret}", "/hook?api=1&sig={secret}&v=2"])
@pytest.mark.parametrize(("secret", "sent"), SENT)
async def test_a_secret_goes_into_the_address_as_it_is_or_percent_encoded(
    monkeypatch: pytest.MonkeyPatch, secret: str, sent: str, place: str
) -> None:
    monkeypatch.setenv("KEY", secret)
    asked: list[str] = []

    def says(path: str) -> list[str]:
        asked.append(path)
        return ["HTTP/1.1 204 Yes\r\n\r\n"]

    async with _hook(says) as url:
        await Webhook(url + place, Secret(env="KEY")).deliver("n", b"{}", {})
    assert asked == [place.replace("{secret}", sent)]


@pytest.mark.parametrize(("secret", "sent"), SENT)
@pytest.mark.parametrize(
    "anew",
    [
        lambda sent: sent,
        lambda sent: sent.replace("%2F", "/").replace("%41", "A").replace("%7C", "|"),
        lambda sent: sent.replace("%2F", "%2f").replace("%3F", "?").replace("%C3%A9", "\u00e9"),
        lambda sent: sent.replace("%", "%25").replace("+", "%2B"),
        lambda sent: json.dumps(sent.replace("%20", " ").replace("%C3%A9", "\u00e9")),
        lambda sent: sent.replace("%2F", "/").replace("/", "\\/").replace("+", "\\u002B"),
        lambda sent: html.escape(sent.replace("%2B", "&#43;").replace("%3F", "&#x3F;")),
    ],
)
async def test_a_secret_that_an_answer_repeats_is_told_in_no_spelling(
    monkeypatch: pytest.MonkeyPatch, secret: str, sent: str, anew: Callable[[str], str]
) -> None:
    monkeypatch.setenv("KEY", secret)
    says = f"no flow at {anew(sent)} or {secret}"
    async with _hook(lambda path: [_refusal(says)]) as url:
        with pytest.raises(Undelivered) as told:
            await Webhook(url + "/{secret}", Secret(env="KEY")).deliver("n", b"{}", {})
    assert str(told.value).replace('"', "") == "it answered 404: no flow at {secret} or {secret}"


@pytest.mark.parametrize("before", [0, ANSWER - 60, ANSWER - 2])
@pytest.mark.parametrize(
    "widely",
    [
        lambda letter: f"\\\\u{ord(letter):04x}",
        lambda letter: f"&#37;{ord(letter):02x}",
        lambda letter: f"&#{ord(letter):07d};",
        lambda letter: "".join(f"&#{ord(one):07d};" for one in f"&#{ord(letter):07d};"),
    ],
)
async def test_a_secret_that_is_spelt_so_widely_that_its_end_is_not_read_leaves_no_part(
    monkeypatch: pytest.MonkeyPatch, widely: Callable[[str], str], before: int
) -> None:
    secret = "0123456789abcdef" * 4
    monkeypatch.setenv("KEY", secret)
    says = _refusal("x" * before + "".join(map(widely, secret)) + "!" * 1000)
    async with _hook(lambda path: [says]) as url:
        with pytest.raises(Undelivered) as told:
            await Webhook(url, Secret(env="KEY")).deliver("n", b"{}", {})
    said = str(told.value).removeprefix("it answered 404: ")
    left = said.rstrip("!").replace("\\", "")
    assert left.lstrip("x") == "{secret}"
    assert left.count("x") <= before


@pytest.mark.parametrize("secret", ["k", "x!", "!x"])
async def test_a_long_answer_without_the_secret_is_told_up_to_its_bound(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("KEY", secret)
    async with _hook(lambda path: [_refusal("!" * 1000)]) as url:
        with pytest.raises(Undelivered) as told:
            await Webhook(url, Secret(env="KEY")).deliver("n", b"{}", {})
    assert str(told.value) == "it answered 404: " + "!" * ANSWER


@pytest.mark.parametrize(
    "says",
    [lambda path: [f"SSH-2.0 {path}\r\n"], lambda path: ["HTTP/1.1 404 X\r\n", f"{path}\r\n"]],
)
async def test_what_speaks_no_http_is_told_without_the_address(
    monkeypatch: pytest.MonkeyPatch, says: Callable[[str], list[str]]
) -> None:
    monkeypatch.setenv("KEY", "q7%2FxYz")
    async with _hook(says) as url:
        with pytest.raises(Undelivered, match="no HTTP") as told:
            await Webhook(url + "/?sig={secret}", Secret(env="KEY")).deliver("n", b"{}", {})
    assert "xYz" not in str(told.value)


@pytest.mark.parametrize(
    ("before", "times", "left"),
    [
        (0, 1, "{secret}" + "!" * (ANSWER - 256)),
        (0, 3, "{secret}{secret}"),
        (ANSWER - 40, 3, "x" * (ANSWER - 40) + "{secret}"),
        (ANSWER - 1, 1, "x" * (ANSWER - 1) + "{secret}"),
        (ANSWER, 1, "x" * ANSWER),
    ],
)
async def test_a_secret_that_is_cut_or_comes_in_pieces_leaves_no_part(
    monkeypatch: pytest.MonkeyPatch, before: int, times: int, left: str
) -> None:
    secret = "0123456789abcdef" * 16
    monkeypatch.setenv("KEY", secret)
    whole = _refusal("x" * before + secret * times + "!" * 100)
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    async with _hook(lambda path: pieces) as url:
        with pytest.raises(Undelivered) as told:
            await Webhook(url, Secret(env="KEY")).deliver("n", b"{}", {})
    assert str(told.value) == f"it answered 404: {left}"


@pytest.mark.skipif(sys.platform == "win32", reason="it is tried with a shell")
async def test_what_a_command_prints_steers_no_terminal_and_stays_on_its_line() -> None:
    prints = "printf '\\033[2J\\033]0;x\\007no\\r\\nroute\\n'; exit 3"
    with pytest.raises(Undelivered) as told:
        await Program(("sh", "-c", prints)).deliver("n", b"", {})
    assert str(told.value) == "exit status 3: \ufffd[2J\ufffd]0;x\ufffdno route"


@pytest.mark.skipif(sys.platform == "win32", reason="it is tried with a shell")
async def test_a_command_gets_a_long_text_shortened_in_its_environment_and_whole_as_input() -> None:
    text = "ä" * 300_000
    check = f'[ "$(cat | wc -c)" -eq 600000 ] && [ "$(printf %s "$T" | wc -c)" -eq {2 * VARIABLE} ]'
    await Program(("sh", "-c", check)).deliver("n", text.encode(), {"T": text})
