"""Any program: an argument list, its environment, its input files and the results it owes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.model.resources import Allocation
from solveyard.solvers import options, verdicts
from solveyard.solvers.base import Command, Exit, Probe, Query, Reader
from solveyard.solvers.options import InsidePath, Options, Text, Worded

FILES_LIMIT = 2 << 20  #: bytes of input files in one job


def _variable(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        raise ValueError("expected a variable's name, without '='")
    if name.upper().startswith("SOLVEYARD_"):
        raise ValueError("expected another name: SOLVEYARD_ is the manager's")
    return name


class CommandOptions(Options):
    argv: tuple[Annotated[Text, Worded], ...] = Field(
        min_length=1,
        description="the program and its arguments, a list such as "
        '["python3", "run.py"]; for a shell\'s line: ["sh", "-c", "..."]',
    )
    env: dict[Annotated[str, AfterValidator(_variable)], Annotated[Text, Worded]] = Field(
        default_factory=dict, description='variables added to the environment: {"NAME": "value"}'
    )
    secret_env: dict[Annotated[str, AfterValidator(_variable)], Text] = Field(
        default_factory=dict,
        description="variables that hold a secret, by the name that the manager's settings give"
        ' it: {"VARIABLE": "NAME"}',
    )
    outputs: tuple[Annotated[InsidePath, Worded], ...] = Field(
        default=(), description="a list of the files that it must write, in its directory"
    )
    files: dict[InsidePath, Annotated[str, Worded]] = Field(
        default_factory=dict, description='files written before it starts: {"run.py": "..."}'
    )

    @field_validator("argv")
    @classmethod
    def _names_a_program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0].strip():
            raise ValueError("expected a program's name first")
        return argv

    @model_validator(mode="after")
    def _set_once(self) -> Self:
        if twice := self.env.keys() & self.secret_env.keys():
            raise ValueError(f"expected {min(twice)!r} in `env` or in `secret_env`, not in both")
        return self

    @field_validator("outputs")
    @classmethod
    def _named_once(cls, outputs: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(outputs)) != len(outputs):
            raise ValueError("expected each output once")
        return outputs

    @field_validator("files")
    @classmethod
    def _small(cls, files: dict[str, str]) -> dict[str, str]:
        size = sum(len(content.encode()) for content in files.values())
        if size > FILES_LIMIT:
            raise ValueError(
                f"expected at most {FILES_LIMIT} bytes of files, these are {size}: "
                "put them into `directory` yourself"
            )
        return files


class CommandSolver:
    name = "command"

    def command(self, spec: JobSpec, allocation: Allocation | None = None) -> Command:
        chosen = options.read(CommandOptions, spec)
        return Command(
            argv=chosen.argv,
            env=chosen.env,
            secrets=chosen.secret_env,
            directory=options.directory(spec),
            files=chosen.files,
            outputs=chosen.outputs,
            own_folder=bool(chosen.files or chosen.outputs),
        )

    def watch(self, spec: JobSpec) -> str:
        return ""

    def reader(self) -> Reader | None:
        return None

    def evidence(self, spec: JobSpec) -> Sequence[Query]:
        return verdicts.result_queries(_outputs(spec))

    def verdict(self, spec: JobSpec, exit: Exit, evidence: Mapping[str, bytes | None]) -> Outcome:  # noqa: A002  # the contract's name
        outputs = _outputs(spec)
        outcome = verdicts.judge(spec, exit, outputs)
        if outcome.reason is not Reason.SUCCESS:
            return outcome
        return verdicts.judge_results(outcome, exit, evidence, outputs)

    def probes(self) -> Sequence[Probe]:
        return ()


def _outputs(spec: JobSpec) -> tuple[str, ...]:
    try:
        return options.read(CommandOptions, spec).outputs
    except InvalidJob:  # accepted by another version; its end must still be judged
        return ()
