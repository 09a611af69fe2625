"""What Redis refuses for good, in words with the remedy: a login, a certificate, a command that the user may not run."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, ResponseError

from streams.runtime.tls import Refused, handshake_refusal

_ACL_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't run this command")


def refused_for_good(error: BaseException) -> Refused | None:
    """What this error means, where waiting will not mend it and the remedy is known; None for all others."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        return Refused("the login is refused", "check user and password in redis.url")
    in_script = isinstance(error, ResponseError) and any(sign in str(error) for sign in _ACL_IN_SCRIPT)
    if isinstance(error, NoPermissionError) or in_script:
        return Refused(" ".join(str(error).split()), "grant it (ACL SETUSER; docs/security.md has the line for each role)")
    return handshake_refusal(error, "redis")
