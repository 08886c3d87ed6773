"""Every key that there is, as `table.key`, found from the schema."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from solveyard.config.schema import Anywhere, SecretSource, Settings, Table

PREFIX = "SOLVEYARD_"
NAME = "NAME"  #: stands for any name in a key such as `secrets.NAME`
#: Variables that say something else; a job's own and a notice's are among them.
PARAMETER = f"{PREFIX}PARAM_"  #: before the names of a task's parameters
RESERVED = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "AGENT", "ATTEMPT", "BOOT_ID", "CA_FILE", "CONFIG", "CORES", "CORE_IDS", "EVENT", "EXIT",
        "GPU_IDS", "HOME", "JOB", "MESSAGE", "NAME", "NODES", "NOTICE", "PAGE", "REASON",
        "SITE_CONFIG", "STATE", "TASK", "TASKS", "TEXT", "TOKEN", "TOKEN_FILE", "TRY", "URL",
        "VALUE", "WITHIN",
    )
)  # fmt: skip


class Key(NamedTuple):
    name: str  #: "limits.max_concurrent"; "secrets.NAME" where people name the entries
    field: FieldInfo

    @property
    def named(self) -> bool:
        """Is there one for each name that people choose?"""
        return get_origin(self.field.annotation) is dict

    @property
    def several(self) -> bool:
        """Is it a list?"""
        return get_origin(self.field.annotation) is tuple

    @property
    def secret(self) -> bool:
        """Must what is wrong with it not be shown?"""
        kinds = (self.field.annotation, *get_args(self.field.annotation))
        return SecretSource in kinds

    @property
    def anywhere(self) -> bool:
        """May a project's file set it?"""
        return any(isinstance(mark, Anywhere) for mark in self.field.metadata)

    @property
    def variable(self) -> str:
        """The environment variable that sets it; empty: none does."""
        return "" if self.named else PREFIX + self.name.upper().replace(".", "__")


@cache
def all_keys() -> Mapping[str, Key]:
    """By name, in the schema's order."""
    return {key.name: key for key in _keys(Settings, "")}


def key_of(name: str) -> Key:
    """The key that a full name such as `secrets.LICENCE` belongs to. KeyError: none."""
    known = all_keys()
    return known[name] if name in known else known[f"{name.rpartition('.')[0]}.{NAME}"]


def flat(raw: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Nested tables by full names; an entry that people name, such as a secret, stays whole."""
    found: dict[str, Any] = {}
    for word, value in raw.items():
        name = f"{at}{word}"
        if name in all_keys() or f"{at}{NAME}" in all_keys():
            found[name] = value
        else:
            found |= flat(value, f"{name}.")
    return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite of `flat`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        *tables, word = name.split(".")
        place = found
        for table in tables:
            place = place.setdefault(table, {})
        place[word] = value
    return found


def _keys(table: type[Table], at: str) -> Iterator[Key]:
    for word, field in table.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Table) and kind is not SecretSource:
            yield from _keys(kind, f"{at}{word}.")
        else:
            key = Key(f"{at}{word}", field)
            yield key._replace(name=f"{key.name}.{NAME}") if key.named else key
