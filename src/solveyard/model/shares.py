"""How owners share what there is: weights, the memory of what was used, and quotas."""

from collections.abc import Mapping

import msgspec

#: In the settings: everybody whom no entry names.
OTHERS = "*"


class Quota(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What the jobs of one owner may come to; None: any number."""

    running: int | None = None  #: jobs that run at once
    cores: int | None = None  #: that they hold at once
    waiting: int | None = None  #: jobs and tasks that wait, held ones too

    def __post_init__(self) -> None:
        for name in ("running", "cores", "waiting"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"`{name}` is {value}; it can't be negative")


NO_QUOTA = Quota()


class Shares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides between owners, on this manager's own machines."""

    fair: bool = False  #: among equal priorities, who has had least for their weight goes first
    half_life: float = 7 * 86400.0  #: s after which what was used counts half
    weights: Mapping[str, float] = {}  #: by owner; 1 where none is named
    quotas: Mapping[str, Quota] = {}  #: by owner, or OTHERS

    def __post_init__(self) -> None:
        if not 1 <= self.half_life < 1e10:
            raise ValueError(f"`half_life` is {self.half_life}; it must be 1 to 1e10 seconds")
        for owner, weight in self.weights.items():
            if not 0 < weight < 1e9:
                raise ValueError(f"the weight of {owner!r} is {weight}; it must be above 0")

    @property
    def decides(self) -> bool:
        """Does it matter whose a job is?"""
        return self.fair or bool(self.quotas)

    def weight(self, owner: str) -> float:
        return self.weights.get(owner, self.weights.get(OTHERS, 1.0))

    def quota(self, owner: str) -> Quota:
        return self.quotas.get(owner, self.quotas.get(OTHERS, NO_QUOTA))


NO_SHARES = Shares()


class Spent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an owner's ended runs have used, as it counted at one moment."""

    owner: str
    amount: float  #: core-seconds
    at: float  #: s since 1970

    def by(self, now: float, half_life: float) -> float:
        """What of it counts at `now`; core-seconds."""
        return float(self.amount * 0.5 ** (max(0.0, now - self.at) / half_life))
