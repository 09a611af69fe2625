"""The tables and commands of docs/security.md, made from the tables that the code itself goes by.

`python -m streams.runtime.rights_docs docs/security.md` (`make docs`) writes them anew, each between its two marks in the page.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from streams.runtime import kafka_rights, redis_rights
from streams.runtime.kafka_rights import Rights

_ACLS = "kafka-acls.sh --bootstrap-server broker:9093 --command-config admin.properties --add --allow-principal User:"
_WORKER = ("worker", "worker with channels, also", "worker with learning.enabled, also")


def kafka_table() -> str:
    """Role by role, what it may do on which topics and groups."""
    rows = [
        f"| {role} | {_resources(rights)} | {', '.join(rights.operations)} |"
        for role, all_rights in kafka_rights.ROLES.items()
        for rights in all_rights
    ]
    return "\n".join(["| role or command | topics or group | operations |", "|---|---|---|", *rows])


def _resources(rights: Rights) -> str:
    if rights.resource == "group":
        return ", ".join(f"group `<kafka.group>{name}`" for name in rights.names)
    return "all topics" if rights.names == kafka_rights.EVERY else ", ".join(f"`{name}`" for name in rights.names)


def kafka_commands() -> str:
    """For a worker and the learner, as commands of Kafka's own tool."""
    users = {"churnwatch": _WORKER, "learner": ("learner",)}
    all_rights = ((user, rights) for user, roles in users.items() for role in roles for rights in kafka_rights.ROLES[role])
    return "\n".join(line for user, rights in all_rights for line in _acls(user, rights))


def _acls(user: str, rights: Rights) -> Iterator[str]:
    operations = " ".join(f"--operation {operation}" for operation in rights.operations)
    if rights.resource == "topic":
        yield f"    {_ACLS}{user} \\\n      {operations} {' '.join(f'--topic {name}' for name in rights.names)}"
    for name in rights.names if rights.resource == "group" else ():
        pattern = " --resource-pattern-type prefixed" if name.endswith("*") else ""
        yield f"    {_ACLS}{user} \\\n      {operations} --group churnwatch{name.removesuffix('*')}{pattern}"


def redis_table() -> str:
    """Role by role, the commands it runs."""
    rows = [f"| {role} | {' '.join(f'`{command}`' for command in commands)} |" for role, commands in redis_rights.ROLES.items()]
    return "\n".join(["| role or command | commands |", "|---|---|", *rows])


def redis_commands() -> str:
    """A user for workers, one for the learner and one for the commands that look, as redis-cli takes them."""
    worker = redis_rights.worker_roles(playbook=True, wait_replicas=False, learns=True)
    users = {"churnwatch": worker, "learner": ["learner"], "analyst": ["customer", "doctor"]}
    lines = [shlex.join(["redis-cli", *redis_rights.acl_line(user, "churnwatch", *roles)]) for user, roles in users.items()]
    return "\n".join(f"    {line}" for line in lines)


PARTS: Mapping[str, Callable[[], str]] = {
    "kafka table": kafka_table,
    "kafka commands": kafka_commands,
    "redis table": redis_table,
    "redis commands": redis_commands,
}


def rewritten(page: str) -> str:
    """The page with each part as it should be. Raises ValueError for one that has no place in it."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}, made by `make docs` -->\n", f"<!-- end of {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"{name}: the page has no {begin.strip()} … {end}")
        whole = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = begin + make() + "\n" + end
        page = whole.sub(text.replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text("utf-8")), "utf-8")
