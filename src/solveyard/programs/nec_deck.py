"""NEC2 cards, read as far as a runner must know them before an engine gets them.

Source: NEC-2 User's Guide (Burke and Poggio, 1981), part III.
"""

import itertools
import math
from typing import NamedTuple


class BadCard(Exception):
    """A card can't be read, or is missing."""


class BadGeometry(Exception):
    """A wire that no engine can solve: nec2c would loop for ever, or crash."""


class Card(NamedTuple):
    label: str
    integers: tuple[int, ...]  #: 2 in the geometry section, 4 after it
    floats: tuple[float, ...]  #: 7 and 6
    line: int


class Deck(NamedTuple):
    cards: tuple[Card, ...]
    frequencies: tuple[float, ...]  #: Hz, ascending


def read(text: str) -> Deck:
    """Raises BadCard or BadGeometry, with the line's number."""
    cards = _cards(text)
    for card, following in itertools.pairwise(cards):
        _check_geometry(card, tapered=following.label == "GC")
    sources = [card for card in cards if card.label == "EX"]
    if len(sources) != 1:
        raise BadCard(f"the deck has {len(sources)} EX cards; S11 needs exactly one source")
    if sources[0].integers[0] not in {0, 5}:
        raise BadCard(f"line {sources[0].line}: EX must be a voltage source (type 0 or 5)")
    if not any(card.label in {"XQ", "RP"} for card in cards):
        raise BadCard("nothing is computed: add a card XQ before EN")
    return Deck(tuple(cards), _frequencies(cards))


def _cards(text: str) -> list[Card]:
    cards: list[Card] = []
    geometry = True
    # No other line ends than an engine's: UTF-8 that is read byte by byte is full of \x85.
    for number, line in enumerate(text.split("\n"), 1):
        label = line[:2].upper()
        if not line.strip() or label in {"CM", "CE"}:
            continue
        if not (label.isascii() and label.isalpha() and len(label) == 2):
            raise BadCard(f"line {number}: {line[:20]!r} does not begin with a card's two letters")
        count, width = (2, 9) if geometry else (4, 10)
        cards.append(_card(label, line[2:].replace(",", " ").split()[:width], count, number))
        if label == "EN":
            return cards
        geometry = geometry and label != "GE"
    raise BadCard("the deck ends without a card EN")


def _card(label: str, words: list[str], count: int, number: int) -> Card:
    try:
        integers = [int(float(word)) for word in words[:count]]
        floats = [float(word) for word in words[count:]]
    except (ValueError, OverflowError) as error:
        raise BadCard(f"line {number}: a value of card {label} is no number ({error})") from error
    integers += [0] * (count - len(integers))
    floats += [0.0] * ((7 if count == 2 else 6) - len(floats))
    return Card(label, tuple(integers), tuple(floats), number)


def _check_geometry(card: Card, *, tapered: bool) -> None:
    """`tapered`: the next card, GC, gives the radii of this wire, whose own is 0."""
    f = card.floats
    match card.label:
        case "GW":
            kind, extended, radius = "a wire", f[0:3] != f[3:6], f[6]
        case "GA":
            kind, extended, radius = "an arc", f[0] != 0 and f[1] != f[2], f[3]
        case "GH":
            kind, extended, radius = "a helix", f[1] != 0, f[6]
            if f[0] == 0:
                raise BadGeometry(f"line {card.line}: a helix of spacing 0 m between its turns")
        case "GC":
            if f[0] <= 0:
                raise BadGeometry(f"line {card.line}: a taper of ratio {f[0]:g}; it is positive")
            return
        case _:
            return
    if card.integers[1] < 1:
        raise BadGeometry(f"line {card.line}: {kind} of {card.integers[1]} segments; at least 1")
    if not extended:
        why = ": both ends are the same point" if card.label == "GW" else ""
        raise BadGeometry(f"line {card.line}: {kind} of no length{why}")
    if radius < 0 or (radius == 0 and not (tapered and card.label == "GW")):
        way = " (a tapered one has 0, and a card GC after it)" if card.label == "GW" else ""
        raise BadGeometry(
            f"line {card.line}: {kind} of radius {radius:g} m; it must be positive{way}"
        )


def _frequencies(cards: list[Card]) -> tuple[float, ...]:
    found = [card for card in cards if card.label == "FR"]
    if len(found) != 1:
        raise BadCard(f"the deck has {len(found)} FR cards; one is read here")
    card = found[0]
    kind, count = card.integers[0], max(card.integers[1], 1)
    start, step = card.floats[0] * 1e6, card.floats[1]
    if kind not in {0, 1}:
        raise BadCard(f"line {card.line}: FR of type {kind}; 0 (steps) and 1 (factors) exist")
    if count > 100_000:
        raise BadCard(f"line {card.line}: {count} frequencies; at most 100 000")
    try:
        values = tuple(
            start + index * step * 1e6 if kind == 0 else start * step**index
            for index in range(count)
        )
    except OverflowError as error:
        raise BadCard(f"line {card.line}: frequencies beyond all bounds") from error
    ascending = all(low < high for low, high in itertools.pairwise(values))
    if not (values[0] > 0 and ascending and math.isfinite(values[-1])):
        raise BadCard(f"line {card.line}: frequencies must be positive and ascend")
    return values
