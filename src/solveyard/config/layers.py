"""From files, environment and command line to the settings that hold, each with its origin."""

import difflib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args

from pydantic import ValidationError

from solveyard.config import files
from solveyard.config.keys import (
    NAME,
    PARAMETER,
    PREFIX,
    RESERVED,
    Key,
    all_keys,
    flat,
    key_of,
    nested,
)
from solveyard.config.schema import Settings
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest, InvalidSettings

PROJECT_FILE = "solveyard.toml"
LOCKED = "locked"  #: the site file's key that names what nobody else may set
DEFAULT = "default"


class Given(NamedTuple):
    """A value from a command line or a caller."""

    by: str  #: "--port"
    value: Any  # as typer or a caller had it: the schema reads it


class Places(NamedTuple):
    """The files of settings; None: there is none of that kind."""

    site: Path | None
    user: Path | None
    project: Path | None
    needed: frozenset[str] = frozenset()  #: the kinds that somebody asked for by name

    @classmethod
    def here(cls, folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """Those of this account; `folder`: the project's, None: the working folder.

        SOLVEYARD_CONFIG names another user's file (empty: none). SOLVEYARD_SITE_CONFIG names a
        site's file where the machine has none: what the machine's locks can't be got round so.
        """
        needed = set()
        site = _site()
        if (named := environment.get(f"{PREFIX}SITE_CONFIG", "")) and named != str(site):
            if site.exists():
                raise InvalidSettings(
                    f"{PREFIX}SITE_CONFIG={named} can't replace {site}, which this machine has"
                    f" (unset {PREFIX}SITE_CONFIG)"
                )
            site = Path(named).absolute()
            needed.add("site")
        chosen = environment.get(f"{PREFIX}CONFIG")
        if chosen:
            needed.add("user")
        user = _user() if chosen is None else Path(chosen).absolute() if chosen else None
        if folder is not None and not folder.is_dir():
            raise InvalidSettings(f"the project's folder {folder} is no folder (see --project)")
        project = (folder or Path()).absolute() / PROJECT_FILE
        return cls(site, user, project, frozenset(needed))

    def by_kind(self) -> dict[str, Path | None]:
        """The strongest last."""
        return {"site": self.site, "user": self.user, "project": self.project}

    def only(self, path: Path) -> Self:
        """That file alone: as a project's where it has its name, else as the machine's."""
        if path.name == PROJECT_FILE:
            return type(self)(None, None, path, frozenset({"project"}))
        return type(self)(path, None, None, frozenset({"site"}))


class Layer(NamedTuple):
    kind: str  #: "site", "user", "project", "environment", "command line"
    values: Mapping[str, Any]  #: by full name, as they were written
    where: Callable[[str], str]  #: from a full name to where it was set


class Found:
    """The settings that hold, and where each comes from."""

    def __init__(
        self, layers: list[Layer], locks: Mapping[str, str], files_read: list[Path]
    ) -> None:
        """`layers`: the strongest last."""
        self.locks = locks  #: full name to the place that locks it
        self.files = files_read
        merged: dict[str, Any] = {}
        self._layers: dict[str, Layer] = {}
        for layer in layers:
            merged |= layer.values
            self._layers |= dict.fromkeys(layer.values, layer)
        self.settings = Settings.model_validate(nested(merged))

    def origin(self, name: str) -> str:
        """Where the value of `name` comes from: a file's line, a variable, an option, "default"."""
        layer = self._layers.get(name)
        return DEFAULT if layer is None else layer.where(name)

    def locked(self, name: str) -> str:
        """The place that locks it; empty: nobody did."""
        return _lock(name, self.locks)

    def value(self, name: str) -> Any:  # any setting's
        """As the schema read it."""
        found: Any = self.settings
        for word in name.split("."):
            found = found[word] if isinstance(found, dict) else getattr(found, word)
        return found

    def names(self) -> list[str]:
        """Every key, in the schema's order; of those that people name what there is."""
        names: list[str] = []
        for name, key in all_keys().items():
            if key.named:
                table = name.removesuffix(f".{NAME}")
                names += [f"{table}.{word}" for word in sorted(self.value(table))]
            else:
                names.append(name)
        return names

    def wrong(self, name: str, why: str) -> InvalidRequest:
        """The error to raise for a value that turns out not to do."""
        layer = self._layers.get(name)
        if layer is None:
            return InvalidSettings(f"`{name}`: {why}")
        return _wrong(layer.kind, f"{layer.where(name)}: `{name}`: {why}")


def load(
    places: Places,
    environment: Mapping[str, str] = os.environ,
    given: Mapping[str, Given] | None = None,
) -> Found:
    """Merge all layers: site, user, project, environment, and `given`, the strongest.

    Raises InvalidSettings, or InvalidRequest where `given` is at fault.
    """
    layers, locks, read = [], {}, []
    for kind, path in places.by_kind().items():
        document = None if path is None else files.read(path, needed=kind in places.needed)
        if document is None:
            continue
        if kind != "project":
            files.refuse_foreign(document.path, owned=kind == "user")
        if kind == "site":
            locks = _locks(document)
        read.append(document.path)
        layers.append(_of_file(kind, document, places))
    layers.append(_of_environment(environment))
    layers.append(_of_given(given or {}))
    for layer in layers:
        if layer.kind != "site":
            _refuse_locked(layer, locks)
    return Found(layers, locks, read)


def _of_file(kind: str, document: files.Document, places: Places) -> Layer:
    if LOCKED in document.values:
        raise InvalidSettings(
            f"{document.where(LOCKED)}: `{LOCKED}` counts in the site's file alone"
            + (f" ({places.site})" if places.site else "")
        )
    _validate(kind, document.values, document.where, strict=True)
    layer = Layer(kind, flat(document.values), document.where)
    if kind == "project":
        for name in layer.values:
            if not key_of(name).anywhere:
                instead = places.user or "your own file of settings"
                raise InvalidSettings(
                    f"{layer.where(name)}: `{name}` can't be set by a project's file, which others"
                    f" may have written: it says who may come in or what may run (put it into"
                    f" {instead})"
                )
    return layer


def _of_environment(environment: Mapping[str, str]) -> Layer:
    variables = {key.variable: key for key in all_keys().values() if not key.named}
    in_job = f"{PREFIX}ATTEMPT" in environment
    values: dict[str, Any] = {}
    for variable in sorted(environment):
        text = environment[variable]
        ours = variable in RESERVED or variable.startswith(PARAMETER)
        if not variable.startswith(PREFIX) or (ours and in_job):
            continue
        key = variables.get(variable)
        if key is not None and text:
            values[key.name] = _list(variable, text) if key.several else text
        elif key is None and not ours:
            raise InvalidSettings(
                f"{variable}: no setting has this variable{_nearest(variable, variables)}"
            )
    _validate("environment", nested(values), _variable, strict=False)
    return Layer("environment", values, _variable)


def _of_given(given: Mapping[str, Given]) -> Layer:
    values = {name: one.value for name, one in given.items()}

    def where(name: str) -> str:
        return given[name].by if name in given else name

    _validate("command line", nested(values), where, strict=False)
    return Layer("command line", values, where)


def _locks(document: files.Document) -> dict[str, str]:
    """Takes `locked` out of the document."""
    where = document.where(LOCKED)
    names = document.values.pop(LOCKED, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidSettings(f'{where}: `{LOCKED}`: expected a list of keys, such as ["host"]')
    tables = {name.rpartition(".")[0] for name in all_keys()} - {""}
    for name in names:
        if name not in tables and not _known(name):
            why = _nearest(name, [*all_keys(), *tables])
            raise InvalidSettings(f"{where}: `{LOCKED}`: there is no setting `{name}`{why}")
    return dict.fromkeys(names, where)


def _lock(name: str, locks: Mapping[str, str]) -> str:
    while name:
        if name in locks:
            return locks[name]
        name = name.rpartition(".")[0]
    return ""


def _refuse_locked(layer: Layer, locks: Mapping[str, str]) -> None:
    for name in layer.values:
        if place := _lock(name, locks):
            raise InvalidSettings(
                f"{layer.where(name)}: `{name}` is locked by {place} (leave it out, or ask whoever"
                " keeps that file)"
            )


def _validate(
    kind: str, raw: Mapping[str, Any], where: Callable[[str], str], *, strict: bool
) -> None:
    try:
        if strict:  # JSON's lists may be tuples, and its texts paths, where Python's may not
            Settings.model_validate_json(json.dumps(raw, default=str), strict=True)
        else:
            Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        name, sentence = _sentence(first)
        raise _wrong(kind, f"{where(name)}: {sentence}{more}") from None  # it holds the input


def _sentence(problem: Mapping[str, Any]) -> tuple[str, str]:
    """The full name of what is wrong, and a sentence about it."""
    words = [str(word) for word in problem["loc"] if word != "[key]"]
    name = ".".join(words)
    key = _known(name) or _known(".".join(words[:-1])) or _known(".".join(words[:2]))
    if problem["type"] == "extra_forbidden":
        if key is not None:
            hint = reading.nearest(words[-1], _fields(words[0]))
            return name, f"there is no `{words[-1]}` in `{'.'.join(words[:-1])}`{hint}"
        same = [one for one in all_keys() if one.rpartition(".")[2] == words[-1]]
        known = all_keys() if len(words) > 1 else [*Settings.model_fields, *all_keys()]
        hint = f" (did you mean {same[0]!r}?)" if same else _nearest(name, known)
        return name, f"there is no setting `{name}`{hint}"
    if problem["type"] == "missing":
        whole = ".".join(words[:-1])
        return whole, f"`{whole}` has no `{words[-1]}`, which it needs"
    expected = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    expected = expected.replace("a valid integer", "a whole number")
    expected = expected.replace("a valid array", "a list").replace("a valid dictionary", "a table")
    expected = expected.replace("an object", "a table").replace("a valid ", "a ")
    if problem["loc"][-1] == "[key]":
        expected = "expected a name of letters, digits, '_' and '-'"
    if key is not None and key.secret:
        return name, f"`{name}`: {expected}"
    return name, f"`{name}`: {expected}, got {_short(problem['input'])}"


def _known(name: str) -> Key | None:
    try:
        return key_of(name)
    except KeyError:
        return None


def _wrong(kind: str, why: str) -> InvalidRequest:
    return InvalidRequest(why) if kind == "command line" else InvalidSettings(why)


def _fields(name: str) -> list[str]:
    """Of each table that `name`, such as "notify", holds by people's own names."""
    field = Settings.model_fields.get(name)
    kinds = get_args(field.annotation) if field is not None else ()
    return [one for kind in kinds for one in getattr(kind, "model_fields", ())]


def _nearest(word: str, right: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(word, list(right), n=1, cutoff=0.55)
    return f" (did you mean {close[0]!r}?)" if close else " (solveyard config show has them all)"


def _variable(name: str) -> str:
    known = _known(name) or _known(name.rpartition(".")[0])
    return known.variable if known is not None else name


def _list(variable: str, text: str) -> list[Any]:
    """Names with commas between, or JSON."""
    if not text.startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSettings(f"{variable}: expected a list in JSON: {error}") from error
    assert isinstance(found, list)
    return found


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _user() -> Path | None:
    """None: this account has no home."""
    from platformdirs import user_config_path

    try:
        return user_config_path("solveyard", appauthor=False) / "config.toml"
    except RuntimeError:
        return None


def _site() -> Path:
    """Of the machine. Nothing that a user can set may lead elsewhere, as XDG_CONFIG_DIRS could."""
    if sys.platform == "win32":
        from platformdirs import site_config_path

        return site_config_path("solveyard", appauthor=False) / "config.toml"
    if sys.platform == "darwin":
        return Path("/Library/Application Support/solveyard/config.toml")
    return Path("/etc/solveyard/config.toml")
