"""What there is around a partition store in `store_world`: who writes, what is on its way, and what the commits come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from streams.runtime.store import CommitRequest, Meta, OutboxEntry
from tests.support.store_cases import StoreCase

PARTITION, COUNT = 1, 4
CUSTOMERS = ("a", "b", "c")
NAMES = ("p", "q")


@dataclass(eq=False)
class Incarnation:
    """One attempt of a worker to own the partition, from its nonce to its end.

    epoch            None until it has heard that it owns
    head, seq        the commit that it computes from next
    pending          sent, and not heard of: to be sent again as it is
    acknowledged     its commits that it has heard were applied, id -> number
    entries          outbox entries that it knows of, by number
    told             why it has stopped
    owned_at         how often the server had gone back, and others had taken over, when the server made it the owner
    """

    name: str
    generation: int
    nonce: str
    epoch: int | None = None
    head: str = ""
    seq: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    outbox_no: int = 0
    pending: Commit | None = None
    acknowledged: dict[str, int] = field(default_factory=dict)
    entries: dict[int, OutboxEntry] = field(default_factory=dict)
    told: str = ""
    owned_at: tuple[int, int] = (0, 0)


class Commit(NamedTuple):
    """A request, and the id of the commit that it was computed from."""

    request: CommitRequest
    base: str


class Message(NamedTuple):
    """On its way to the server: the taking of an epoch (None), a commit, or an acknowledgement up to a number."""

    who: Incarnation
    what: Commit | int | None


@dataclass
class Truth:
    """What the server holds, as it must be. It goes back with the server."""

    history: list[Commit] = field(default_factory=list)
    owner: Incarnation | None = None
    generation: int = -1
    epoch: int = 0
    waiting: list[OutboxEntry] = field(default_factory=list)

    def copy(self) -> Truth:
        """As it is now."""
        return Truth([*self.history], self.owner, self.generation, self.epoch, [*self.waiting])


class State(NamedTuple):
    """All that a store shows."""

    meta: Meta
    records: list[bytes | None]
    due: list[str]
    risk: list[tuple[str, float]]
    triggered: list[int | None]
    outbox: list[OutboxEntry]


async def shown_by(case: StoreCase) -> State:
    """What this store shows."""
    store = case.store
    return State(
        await store.read_meta(PARTITION),
        await store.load(PARTITION, CUSTOMERS),
        await store.due(PARTITION, 10**6, 10),
        sorted(await store.riskiest(PARTITION, 10)),
        await store.triggered(PARTITION, NAMES),
        await store.outbox_read(PARTITION, 0, 1000),
    )


def state_of(truth: Truth) -> State:
    """What the history comes to, commit by commit."""
    records: dict[str, bytes] = {}
    due: dict[str, int | None] = {}
    risk: dict[str, float] = {}
    offsets: dict[str, int] = {}
    triggered: dict[str, int] = {}
    for request, _ in truth.history:
        records |= dict(request.records)
        due |= dict(request.due)
        risk |= dict(request.risk)
        assert all(offset > offsets.get(topic, -1) for topic, offset in request.offsets.items()), "offsets never fall"
        offsets |= request.offsets
        triggered |= dict(request.triggered)
        triggered = {name: at for name, at in triggered.items() if at >= (request.forget_triggered_before_s or 0)}
    requests = [request for request, _ in truth.history]
    state = next((request.state for request in reversed(requests) if request.state is not None), None)
    last_id = requests[-1].commit_id if requests else ""
    meta = Meta(
        seq=len(requests), commit_id=last_id, offsets=offsets, state=state, outbox_no=sum(len(one.outbox) for one in requests)
    )
    looks = sorted((at, name) for name, at in due.items() if at is not None)
    return State(
        meta, [records.get(name) for name in CUSTOMERS], [name for _, name in looks], sorted(risk.items()),
        [triggered.get(name) for name in NAMES], truth.waiting,
    )  # fmt: skip
