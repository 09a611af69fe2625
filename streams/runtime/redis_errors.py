"""Which of Redis' errors waiting may cure, and how they are shown: without passwords."""

from __future__ import annotations

import re

from redis.exceptions import (
    AskError,
    ClusterError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from streams.runtime.redis_refused import refused_for_good

_PASSING = (
    AskError,
    ClusterError,
    ConnectionError,
    OSError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TimeoutError,
    TryAgainError,
)
# Error replies that redis-py has no class for. BUSY: someone else's script runs too long.
_PASSING_REPLIES = ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN")


def mask(text: str) -> str:
    """The text without the password of any URL in it.

    >>> mask("no route to rediss://user:s3cr@t@example:6379/0?password=x&db=1")
    'no route to rediss://user:***@example:6379/0?password=***&db=1'
    """
    text = re.sub(r"(\w+://[^:/@\s]*):[^\s/]*@", r"\1:***@", text)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", text)


def passing(error: BaseException, *, cluster: bool) -> str | None:
    """What to say of an error that waiting may cure; None if it will not.

    cluster   whether the servers are set as a cluster: elsewhere a redirection shows a wrong setting
    """
    if refused_for_good(error) is not None or "luster mode is not enabled" in str(error):
        return None
    if isinstance(error, AskError) and not cluster:
        return None
    if isinstance(error, _PASSING) or (isinstance(error, ResponseError) and str(error).startswith(_PASSING_REPLIES)):
        return mask(f"{type(error).__name__}: {error}")
    return None
