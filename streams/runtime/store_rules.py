"""What every store checks before it writes: whose state it is, who owns the partition, what a request may hold."""

from __future__ import annotations

from streams.runtime.store import CommitRequest, Fenced, LostCommits, OtherSystem, System, UnknownVersion


def check_system(partition: int, stored: System, asking: System) -> None:
    """Raise OtherSystem unless the partition is the asking one's, or nobody's."""
    if stored.group and stored != asking:
        raise other_system(partition, stored, asking)


def other_system(partition: int, stored: System, asking: System) -> OtherSystem:
    """The refusal, in words."""
    return OtherSystem(
        f"partition {partition}: Redis holds the state of group {stored.group} on topics {stored.topic_prefix}*, and this is "
        f"group {asking.group} on {asking.topic_prefix}*: give each system its own redis.prefix; if only kafka.group was "
        "renamed, run `churnwatch rebuild --keep-state`"
    )


def unknown_version(partition: int, what: str, found: int | str, known: int) -> UnknownVersion:
    """The refusal of what a newer program wrote, in words."""
    return UnknownVersion(
        f"partition {partition}: {what} {found} in Redis, this program knows {known}: upgrade churnwatch; what is newer in Redis "
        "cannot be given back to an older program"
    )


def check_owner(what: str, stored: tuple[int, str, int], epoch: int, nonce: str) -> None:
    """Raise Fenced or LostCommits, as the stored (epoch, nonce, seq) tell, unless (epoch, nonce) own the partition."""
    stored_epoch, stored_nonce, stored_seq = stored
    if stored_epoch > epoch or (stored_epoch == epoch and stored_nonce != nonce):
        raise Fenced(f"{what}: epoch {stored_epoch} was taken by someone else")
    if stored_epoch < epoch:
        raise LostCommits(f"{what}: Redis is at commit {stored_seq} of epoch {stored_epoch}")


def check_request(request: CommitRequest) -> None:
    """Raise ValueError, naming field and value, if the request breaks its own rules."""
    if request.seq < 1:
        raise ValueError(f"seq {request.seq}: commits count from 1")
    if not request.commit_id:
        raise ValueError("commit_id is empty: a retry could not be told from another commit")
    for name, pairs in (("records", request.records), ("due", request.due), ("risk", request.risk)):
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f"{name}: a customer comes twice in commit {request.seq}")
    if len(dict(request.triggered)) != len(request.triggered):
        raise ValueError(f"triggered: a name comes twice in commit {request.seq}")
    waiting, settled = dict(request.pending), set(request.settled)
    if len(waiting) != len(request.pending) or len(settled) != len(request.settled) or settled & waiting.keys():
        raise ValueError(f"pending: a name comes twice, or waits no more as well, in commit {request.seq}")
    gone = set(request.gone)
    written = {pair[0] for part in (request.records, request.due, request.risk) for pair in part} if gone else set()
    if len(gone) != len(request.gone) or gone & written:
        raise ValueError(f"gone: a customer comes twice, or is written as well, in commit {request.seq}")
    if request.removal and request.removal.erased and not request.removal.fingerprint:
        raise ValueError(f"removal: digests without the fingerprint of their secret in commit {request.seq}")
    if [risk for _, risk in request.risk if not 0.0 <= risk <= 1.0]:  # NaN is caught too
        raise ValueError(f"risk: outside 0..1 in commit {request.seq}")
    if request.outbox and request.outbox[-1].number - request.outbox[0].number != len(request.outbox) - 1:
        raise ValueError(f"outbox: numbers {request.outbox[0].number}..{request.outbox[-1].number} are not contiguous")
