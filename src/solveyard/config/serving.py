"""From settings to how a manager runs."""

from dataclasses import replace

from solveyard import clusters as ways
from solveyard import serve
from solveyard.backends.batch import ClusterOptions
from solveyard.backends.offers import Offer
from solveyard.config.layers import Found
from solveyard.config.schema import Notify, Settings
from solveyard.core.destinations import HERE, Rule
from solveyard.core.retention import Policy
from solveyard.licensing import LicenceServer
from solveyard.model.jobs import Limits
from solveyard.model.notices import Receiver
from solveyard.model.reading import nearest
from solveyard.model.shares import Quota, Shares
from solveyard.notify import Program, Recipient, Webhook

_MIB = 1024 * 1024


def service(found: Found, *, idle_exit: float | None = None) -> serve.ServeOptions:
    """Of a manager that listens; `idle_exit` holds where the settings have none.

    Raises InvalidSettings, or InvalidRequest for an option, for what no manager could start with.
    """
    settings = found.settings
    try:
        network = serve.network(
            settings.host,
            settings.port,
            allow=settings.allow,
            roots=settings.project_roots,
            programs=settings.ansysedt,
            allowed_hosts=settings.allowed_hosts,
            certificate=settings.tls_certificate,
            key=settings.tls_key,
            public_url=settings.public_url,
        )
    except serve.UnfitSetting as error:
        raise found.wrong(error.setting, str(error)) from error
    return replace(
        embedded(found, on_stop=settings.on_stop),
        idle_exit=idle_exit if settings.idle_exit is None else settings.idle_exit,
        network=network,
    )


def embedded(found: Found, *, on_stop: str) -> serve.ServeOptions:
    """Of a manager that opens no port."""
    settings = found.settings
    if settings.retention.max_size is not None and not settings.retention.files:
        raise found.wrong("retention.max_size", "it takes `files = true`: records have no size")
    return serve.ServeOptions(
        offer=_offer(settings),
        limits=Limits(**settings.limits.model_dump()),
        locked={
            name: place
            for name in Limits.__struct_fields__
            if (place := found.locked(f"limits.{name}"))
        },
        on_stop=on_stop,
        retention=Policy(**settings.retention.model_dump()),
        clusters=_possible(found, clusters(settings)),
        discover_clusters=settings.discover_clusters,
        rules=rules(found),
        secrets={name: source.secret for name, source in settings.secrets.items()},
        recipients=recipients(found),
        licence_server=_licence_server(settings),
        shares=_shares(settings),
    )


def clusters(settings: Settings) -> dict[str, ClusterOptions]:
    """Those that jobs may be forwarded to."""
    return {name: ClusterOptions(**one.model_dump()) for name, one in settings.clusters.items()}


def _possible(found: Found, known: dict[str, ClusterOptions]) -> dict[str, ClusterOptions]:
    """Raises InvalidSettings for a cluster that there can't be."""
    for name, options in known.items():
        if why := ways.fault(name, options):
            raise found.wrong(f"clusters.{name}", why)
    return known


def rules(found: Found) -> tuple[Rule, ...]:
    """Which jobs go where. Raises InvalidSettings for a place that there isn't."""
    settings = found.settings
    for place, one in enumerate(settings.rules, 1):
        if one.on != HERE and one.on not in settings.clusters:
            hint = nearest(one.on, [HERE, *settings.clusters])
            raise found.wrong("rules", f"rule {place}: there is no cluster {one.on!r}{hint}")
    return tuple(
        Rule(**{**one.model_dump(), "memory": -(-one.memory // _MIB)}) for one in settings.rules
    )


def _offer(settings: Settings) -> Offer:
    own = settings.resources
    return Offer(
        cores=settings.cores,
        memory=None if own.memory is None else own.memory // _MIB,
        disk=None if own.disk is None else own.disk // _MIB,
        gpus=own.gpus,
        licences=own.licences,
        counts=own.counts,
    )


def _shares(settings: Settings) -> Shares:
    said = settings.shares
    quotas = {owner: Quota(**quota.model_dump()) for owner, quota in settings.quotas.items()}
    return Shares(
        fair=said.fair, half_life=said.half_life, weights=dict(said.weights), quotas=quotas
    )


def _licence_server(settings: Settings) -> LicenceServer | None:
    said = settings.licences
    if not said.command:
        return None
    return LicenceServer(
        command=said.command,
        interval=said.interval,
        timeout=said.timeout,
        keep=said.keep,
        withheld=frozenset(one.env for one in settings.secrets.values() if one.env),
    )


def recipients(found: Found) -> tuple[Recipient, ...]:
    """Who is told how jobs end. Raises InvalidSettings."""
    return tuple(_recipient(found, *entry) for entry in found.settings.notify.items())


def _recipient(found: Found, name: str, given: Notify) -> Recipient:
    receiver = Receiver(
        name=name,
        on=frozenset(given.on),
        tags=frozenset(given.tags),
        names=given.names,
        users=frozenset(given.users),
        always=given.always,
    )
    secrets = found.settings.secrets
    if given.command:
        withheld = frozenset(source.env for source in secrets.values() if source.env)
        return Recipient(receiver, Program(given.command, withheld))
    if given.secret and given.secret not in secrets:
        raise found.wrong(
            f"notify.{name}", f"[secrets] names no {given.secret!r}{nearest(given.secret, secrets)}"
        )
    secret = secrets[given.secret].secret if given.secret else None
    return Recipient(
        receiver, Webhook(given.webhook, secret, given.secret_as, given.format == "slack")
    )
