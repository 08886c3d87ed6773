"""The settings: every table and key, its type, its default, and who may set it.

A room that has settings adds a `Table` here, and a field of that type to `Settings`. All fields
have defaults and a description, which becomes the reference page's. What can neither let anybody
in nor have anything run is marked ANYWHERE; the rest can't be set by a project's file. A setting
that is a secret has the type `SecretSource`.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from solveyard import amounts
from solveyard.backends.hosts.login import HOST, OPTIONS, VALUE
from solveyard.backends.hosts.paths import PathMap
from solveyard.model.errors import InvalidRequest
from solveyard.model.notices import ENDINGS
from solveyard.model.reading import nearest
from solveyard.model.resources import MOST_CORES
from solveyard.secret import Secret

_BARE = re.compile(r"([\d.]+)\s*(?:I?B)?", re.IGNORECASE)


class Table(BaseModel):
    """Base of a table of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Anywhere:
    """Marks a setting that a project's file may set, too."""


ANYWHERE = Anywhere()


def _absolute(path: Path) -> Path:
    try:
        found = path.expanduser()
    except RuntimeError as error:
        raise ValueError("expected a path whose '~' is somebody's home") from error
    if not found.is_absolute() or "\0" in str(found):
        raise ValueError("expected an absolute path")
    return found


def _seconds(given: Any) -> Any:  # whatever somebody wrote
    try:
        return amounts.seconds(given) if isinstance(given, str) else given
    except InvalidRequest as error:
        raise ValueError('expected a duration such as "30d", "12h" or 90') from error


def _bytes(given: Any) -> int:  # as above
    found = _file_size(given)
    if found is None:
        raise ValueError('expected a size such as "500M", "10G" or 10 (GiB)')
    return found


def _with_unit(given: Any) -> int:  # as above
    """Of what jobs ask for, a bare number may be meant in MiB, as they have it, or in GiB."""
    found = _file_size(given)
    if found and (number := _BARE.fullmatch(str(given).strip())):
        raise ValueError(f'expected a size with its unit, "{number[1]}M" or "{number[1]}G"')
    if found is None:
        raise ValueError('expected a size with its unit, such as "500M" or "10G"')
    return found


def _file_size(given: Any) -> int | None:  # as above
    """Bytes; a bare number is GiB. None: it is no size."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        return amounts.file_size(str(given))
    except (InvalidRequest, ValueError):  # an integer may be too long to write
        return None


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]  #: s
Size = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]  #: bytes
Told = Annotated[int, BeforeValidator(_with_unit), Field(ge=0)]  #: bytes
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]  #: "~" is the home folder
Word = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]  #: of what people name


class SecretSource(Table):
    """Where a secret is: {env = "VARIABLE"} or {file = "/path"}; never the secret itself."""

    env: str = ""
    file: AbsolutePath | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_text(cls, given: Any) -> Any:  # whatever somebody wrote
        if not isinstance(given, dict) or ("env" in given) is ("file" in given):
            raise ValueError('expected {env = "VARIABLE"} or {file = "/path"}, not the secret')
        return given

    @property
    def secret(self) -> Secret:
        return Secret(env=self.env, file=str(self.file) if self.file is not None else "")


_Amount = Annotated[int, Field(ge=0, le=10**9)]


class Own(Table):
    """What there is of this machine, for jobs that ask for it."""

    memory: Annotated[Told | None, ANYWHERE] = Field(
        default=None, description="memory that jobs may use on this machine; not set: all there is"
    )
    disk: Annotated[Told | None, ANYWHERE] = Field(
        default=None,
        description="scratch space that jobs may ask for; not set: the size of the store's disk",
    )
    gpus: Annotated[int | None, ANYWHERE] = Field(
        default=None,
        ge=0,
        le=65536,
        description="GPUs that jobs may use; not set: those that the NVIDIA driver lists",
    )
    licences: Annotated[dict[Name, _Amount], ANYWHERE] = Field(
        default_factory=dict, description="seats of a licence that jobs may hold, by its feature"
    )
    counts: Annotated[dict[Name, _Amount], ANYWHERE] = Field(
        default_factory=dict,
        description="how many there are of anything else that jobs may ask for",
    )


class Licences(Table):
    """What a licence server says is free of them."""

    command: tuple[Word, ...] = Field(
        default=(), description="a command that prints what `lmutil lmstat -a` does; not set: none"
    )
    interval: Duration = Field(
        default=30.0, ge=1, description="how long after an answer the command is run again"
    )
    timeout: Duration = Field(
        default=20.0, gt=0, le=600, description="how long an answer may take; then it has failed"
    )
    keep: dict[Name, _Amount] = Field(
        default_factory=dict,
        description="seats of a licence that no job takes, for people, by its feature",
    )

    @model_validator(mode="after")
    def _kept_from_what(self) -> Self:
        if self.keep and not self.command:
            raise ValueError(
                "expected `command` beside `keep` (without a server, count fewer in"
                " [resources.licences])"
            )
        return self


def _ending(word: str) -> str:
    if word not in ENDINGS:
        hint = nearest(word, ENDINGS) or f" (there is: {', '.join(sorted(ENDINGS))})"
        raise ValueError(f"expected a state or a reason that a job ends with{hint}")
    return word


def _webhook(url: str) -> str:
    try:
        split = urlsplit(url)
        host = (split.hostname or "").encode("idna")  # as it is looked up
        good = split.scheme in {"http", "https"} and bool(host) and split.port != 0
    except ValueError:
        good = False
    if url and not (good and url.isprintable() and " " not in url and "@" not in split.netloc):
        raise ValueError("expected an address such as https://host/path, without a password")
    return url


class Notify(Table):
    """A receiver of notices: a webhook or a command."""

    webhook: Annotated[str, AfterValidator(_webhook)] = ""
    command: tuple[Word, ...] = ()
    on: tuple[Annotated[str, AfterValidator(_ending)], ...] = ("failed", "completed")
    tags: tuple[Word, ...] = ()
    names: tuple[Word, ...] = ()  #: patterns, "sweep-*"
    users: tuple[Word, ...] = ()
    secret: str = ""  #: one that `[secrets]` names
    secret_as: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = "bearer"
    format: Literal["full", "slack"] = "full"
    always: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.webhook) is bool(self.command):
            raise ValueError("expected either `webhook` or `command`")
        if self.command and self.secret:
            raise ValueError("expected no `secret` beside `command`, which can read its own")
        if "{secret}" in self.webhook and not self.secret:
            raise ValueError("expected `secret`, which `webhook` has a place for")
        return self


def _host(name: str) -> str:
    if name and not HOST.fullmatch(name):
        raise ValueError("expected a host for ssh such as 'ada@login.example.org'")
    return name


def _plain(value: Any) -> Any:  # whatever somebody wrote
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else value


def _ssh_options(given: dict[str, str]) -> dict[str, str]:
    """None that has something run or opens a port: those are for ssh's own configuration."""
    for name, value in given.items():
        if name not in OPTIONS:
            hint = nearest(name, OPTIONS) or " (others may stand in your ssh configuration)"
            raise ValueError(f"expected one of ssh's options that may be here, not {name!r}{hint}")
        if not VALUE.fullmatch(value):
            raise ValueError(f"expected a plain value of {name}")
    return given


def _folder(path: str) -> str:
    if not re.fullmatch(r"(?:~/|/)[^\0-\x1f\x7f]*[^\0-\x1f\x7f/]", path) or "/../" in f"{path}/":
        raise ValueError("expected an absolute path, or one that begins with '~/'")
    return path


def _path_map(given: dict[str, str]) -> dict[str, str]:
    PathMap(given)
    return given


class Cluster(Table):
    """A batch system that jobs may be forwarded to."""

    dialect: Word
    queue: str = ""
    max_queued: Annotated[int, Field(ge=0, le=10**6)] = 1000
    counts: dict[Name, _Amount] = Field(default_factory=dict)
    shared: tuple[Name, ...] = ()
    poll_min: Annotated[Duration, Field(ge=0.05)] = 2.0
    poll_max: Annotated[Duration, Field(ge=0.05)] = 60.0
    submit_rate: Annotated[float, Field(gt=0, le=10**4)] = 20.0  #: a second
    array_size: Annotated[int, Field(ge=1, le=10**5)] = 1000
    modules: tuple[Word, ...] = ()
    prologue: str = ""  #: shell text
    licences: tuple[Name, ...] = ()
    licence_command: str = ""  #: shell text
    licence_wait: Duration = 600.0
    settle: Duration = 15.0
    lost_after: Duration = 60.0
    host: Annotated[str, AfterValidator(_host)] = ""
    ssh_options: Annotated[
        dict[str, Annotated[str, BeforeValidator(_plain)]], AfterValidator(_ssh_options)
    ] = Field(default_factory=dict)
    ssh_config: AbsolutePath | None = None
    folder: Annotated[str, AfterValidator(_folder)] = "~/.solveyard"
    path_map: Annotated[dict[str, str], AfterValidator(_path_map)] = Field(default_factory=dict)
    max_input: Size = 10 << 30

    @model_validator(mode="after")
    def _over_ssh(self) -> Self:
        told = self.model_fields_set & {
            "ssh_options", "ssh_config", "folder", "path_map", "max_input"
        }  # fmt: skip
        if told and not self.host:
            raise ValueError(f"expected `host` beside `{min(told)}`, which is about a way to it")
        return self

    @model_validator(mode="after")
    def _licensed(self) -> Self:
        if self.licences and not self.licence_command:
            raise ValueError("expected `licence_command` beside `licences`: it asks their server")
        if self.licences and self.dialect == "winhpc":
            raise ValueError("expected no `licences` for winhpc, whose scripts can't ask for them")
        return self

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.poll_max < self.poll_min:
            raise ValueError("expected `poll_max` to be `poll_min` at least")
        if both := set(self.counts) & set(self.shared):
            raise ValueError(f"expected {min(both)!r} in `counts` or in `shared`, not in both")
        return self


class Rule(Table):
    """Where jobs run that don't say so, by what they are and ask for."""

    on: Word  #: a cluster, or "here"
    solvers: tuple[Word, ...] = ()
    tags: tuple[Word, ...] = ()
    names: tuple[Word, ...] = ()  #: patterns, "sweep-*"
    users: tuple[Word, ...] = ()
    cores: _Amount = 0
    nodes: _Amount = 0
    memory: Told = 0
    gpus: _Amount = 0
    time: Duration = 0.0


class Limits(Table):
    max_concurrent: Annotated[int | None, ANYWHERE] = Field(
        default=None,
        ge=0,
        description="jobs that run at once; not set: as it was, kept in the store",
    )
    max_cpu_percent: Annotated[float | None, ANYWHERE] = Field(
        default=None,
        gt=0,
        le=100,
        description="no job starts on a machine as busy; 100: ever; not set: as it was",
    )
    min_memory_gb: Annotated[float | None, ANYWHERE] = Field(
        default=None,
        ge=0,
        lt=1e9,
        description="GiB that a start must leave free on a machine; 0: none; not set: as it was",
    )
    min_disk_gb: Annotated[float | None, ANYWHERE] = Field(
        default=None,
        ge=0,
        lt=1e9,
        description="the same of the disk where the store is",
    )


class Sharing(Table):
    fair: bool = Field(
        default=False,
        description="whether, of jobs of one priority, those go first whose owner has had least",
    )
    half_life: Duration = Field(
        default=7 * 86400.0,
        ge=1,
        lt=1e10,
        description="how long until what was used counts half",
    )
    weights: dict[Word, Annotated[float, Field(gt=0, lt=1e9)]] = Field(
        default_factory=dict,
        description='how much an owner gets beside others, by name, `"*"` for all others; else 1',
    )


_Most = Annotated[int | None, Field(ge=0, le=10**9)]


class Quota(Table):
    """What an owner's jobs may come to."""

    running: _Most = None
    cores: _Most = None
    waiting: _Most = None


class Retention(Table):
    keep_jobs: int | None = Field(
        default=None, ge=0, description="ended jobs that stay, the newest; not set: all"
    )
    max_age: Duration | None = Field(
        default=None, description="how long ended jobs stay, since their end; not set: for ever"
    )
    max_age_failed: Duration | None = Field(
        default=None, description="the same of those that failed; not set: as `max_age`"
    )
    max_size: Size | None = Field(
        default=None,
        description="what the files of ended jobs may take, with `files`; not set: any size",
    )
    files: bool = Field(
        default=False,
        description="whether a job's output and own folder go with its record, or stay",
    )


class Settings(Table):
    cores: Annotated[int | None, ANYWHERE] = Field(
        default=None,
        ge=1,
        le=MOST_CORES,
        description="cores that jobs may use on this machine; not set: all there are",
    )
    on_stop: Annotated[Literal["leave", "drain"], ANYWHERE] = Field(
        default="leave", description="what a stop does with running jobs: `leave` or `drain`"
    )
    idle_exit: Annotated[float | None, ANYWHERE] = Field(
        default=None,
        gt=0,
        description="seconds without work after which the manager leaves, unless it listens for a"
        " PyEDB handler",
    )
    port: Annotated[int | None, ANYWHERE] = Field(
        default=None,
        ge=0,
        le=65535,
        description="where HTTP listens; not set: 8080, or a free one if that is busy",
    )
    host: str = Field(
        default="", description="the address to listen on; not set: this machine alone"
    )
    allow: tuple[Word, ...] = Field(
        default=(),
        description="solvers that may be used over HTTP beside the specialised: `command`",
    )
    project_roots: tuple[AbsolutePath, ...] = Field(
        default=(), description="the folders in which jobs may run that come over HTTP"
    )
    ansysedt: tuple[AbsolutePath, ...] = Field(
        default=(), description="ansysedt programs that may run over HTTP beside those found here"
    )
    allowed_hosts: tuple[Word, ...] = Field(
        default=(), description="names, with their ports, by which browsers may call it"
    )
    public_url: str = Field(default="", description="the address that a proxy makes it known by")
    tls_certificate: AbsolutePath | None = Field(
        default=None, description="a file with the certificate, and what leads to it"
    )
    tls_key: AbsolutePath | None = Field(
        default=None, description="a file with the certificate's key, readable by its owner alone"
    )
    resources: Own = Field(default_factory=Own)
    limits: Limits = Field(default_factory=Limits)
    licences: Licences = Field(default_factory=Licences)
    retention: Retention = Field(default_factory=Retention)
    shares: Sharing = Field(default_factory=Sharing)
    quotas: dict[Word, Quota] = Field(
        default_factory=dict,
        description='what an owner may have, `"*"` all others: [its keys](../how-to/shares.md)',
    )
    clusters: dict[Name, Cluster] = Field(
        default_factory=dict,
        description="a batch system that takes jobs: [its keys](../how-to/clusters.md#settings)",
    )
    discover_clusters: bool = Field(
        default=True,
        description="use a batch system that answers here [though no table names it]"
        "(../how-to/clusters.md#without-settings)",
    )
    rules: tuple[Rule, ...] = Field(
        default=(),
        description="which jobs go where that don't say so: [how](../how-to/clusters.md#rules)",
    )
    secrets: dict[Name, SecretSource] = Field(
        default_factory=dict,
        description='a secret that jobs may name: `{env = "VARIABLE"}` or `{file = "/path"}`',
    )
    notify: dict[Name, Notify] = Field(
        default_factory=dict,
        description="a receiver that is told how jobs end: [its keys](../how-to/notifications.md)",
    )
