"""What a solve would run, for people."""

from msgspec.structs import replace

from solveyard import plan
from solveyard.cli import exits, preview, talk
from solveyard.cli.here import Here as Place
from solveyard.model.jobs import JobSpec
from solveyard.solvers import options, tasks
from solveyard.solvers.hfss import licences
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.solver import HfssSolver
from solveyard.surroundings import Here


def show(spec: JobSpec, place: Place, *, as_json: bool) -> int:
    """For people, or as JSON; of a job for a cluster its script and the command that submits it.

    Raises InvalidJob for what would not be taken.
    """
    forwarding = preview.forwarding(place, [spec])
    sent = forwarding.sent(spec, preview.account())
    complete = HfssSolver().complete(sent, Here(elsewhere=forwarding.elsewhere))
    first = tasks.spec_at(complete, 0)
    cost = licences.cost(options.read(HfssOptions, first), first.resources)
    found = plan.of(complete)
    found = replace(found, spec=plan.written(spec), licences={**cost, **found.licences})
    if sent.on:
        forwarding.check(complete)
        script, submit = forwarding.preview(complete)
        found = replace(found, script=script, submit=tuple(submit))
    if as_json:
        talk.answer_json(found)
        return exits.OK
    counted = ", ".join(f"{seats} {name}" for name, seats in found.licences.items()) or "none"
    told = [
        f"licences   {counted} (waited for where [resources.licences] counts them)",
        f"exclusive  {', '.join(found.exclusive) or 'nothing: it solves a copy'}",
        "",
    ]
    if spec.array is not None:
        how = f"{len(spec.array)}; this is the first"
        if sent.on:
            how = preview.together(len(spec.array), forwarding.together(complete))
        told.insert(0, f"tasks      {how}")
    talk.answer("\n".join(told))
    script = preview.shown(found.script, found.submit) if sent.on else found.script
    talk.answer_exactly(script.rstrip("\n"))
    return exits.OK
