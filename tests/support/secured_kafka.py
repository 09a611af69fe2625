"""Apache Kafka that lets nobody in without a login or a certificate, and nobody do anything without a right.

with secured_kafka(folder) as broker:
    broker.scram               # SASL_SSL: SCRAM-SHA-256, SCRAM-SHA-512, PLAIN
    broker.mutual              # SSL with a client certificate; the user is the certificate's CN
    broker.bootstrap           # PLAINTEXT, for the test itself: may do everything
    broker.grant("worker", rights); broker.withdraw("worker", rights)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from streams.runtime import child
from streams.runtime.kafka_rights import Right
from streams.runtime.settings import Settings
from tests.support.brokers import KafkaBroker, kafka_lib
from tests.support.certificates import Authority

USERS = ("worker", "learner", "command")
PASSWORD = "Kf4-pass/w+d=%7E"
"""Of every user; written otherwise in addresses, JSON and base64."""

_SECURITY = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SCRAM://localhost:{scram},MUTUAL://localhost:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mutual.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.scram.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scram.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {plain};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class SecuredKafka(KafkaBroker):
    """See above. `ours` signed its certificate, which is for localhost only."""

    def __init__(self, folder: Path, lib: Path, ours: Authority) -> None:
        self.ours = ours
        self._server = ours.issue("broker", dns="localhost")
        super().__init__(folder, lib)

    def _more_properties(self, port: int, controller: int) -> str:
        scram, mutual = child.free_port(), child.free_port()
        self.scram, self.mutual = f"localhost:{scram}", f"localhost:{mutual}"
        plain = " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
        files = {"keystore": self._server.both, "truststore": self.ours.ca}
        return _SECURITY.format(port=port, controller=controller, scram=scram, mutual=mutual, plain=plain, **files)

    def _format_options(self) -> list[str]:
        kinds = [(kind, name) for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512") for name in USERS]
        return [part for kind, name in kinds for part in ("--add-scram", f"{kind}=[name={name},password={PASSWORD}]")]

    def settings(self, prefix: str, user: str = "worker", **more: Any) -> Settings:
        """By password over TLS, unless `more` says otherwise; None takes a setting away."""
        login = {"sasl_mechanism": "SCRAM-SHA-512", "username": user, "password": PASSWORD}
        given = {"bootstrap": self.scram, "security_protocol": "SASL_SSL", "ca_file": str(self.ours.ca), **login, **more}
        return _settings(prefix, {name: value for name, value in given.items() if value is not None})

    def open_settings(self, prefix: str) -> Settings:
        """Of the test itself, which may do everything."""
        return _settings(prefix, {"bootstrap": self.bootstrap})

    def grant(self, user: str, rights: Iterable[Right]) -> None:
        """Let the user do this as well; returns when the broker has taken note."""
        with self._admin() as admin:
            answer = admin.create_acls([_acl(user, right) for right in rights])
        assert not answer["failed"], answer["failed"]

    def withdraw(self, user: str, rights: Iterable[Right]) -> None:
        """Let the user do this no more."""
        with self._admin() as admin:
            admin.delete_acls([_acl(user, right) for right in rights])

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=10_000)
        try:
            yield admin
        finally:
            admin.close()


def _settings(prefix: str, given: dict[str, Any]) -> Settings:
    return Settings(kafka={"topic_prefix": prefix, "group": f"{prefix}group", "partitions": 1, **given})


def _acl(user: str, right: Right) -> ACL:
    kind = ACLResourcePatternType.PREFIXED if right.name.endswith("*") else ACLResourcePatternType.LITERAL
    pattern = ResourcePattern(ResourceType[right.resource.upper()], right.name.removesuffix("*"), kind)
    return ACL(f"User:{user}", "*", ACLOperation[right.operation], ACLPermissionType.ALLOW, pattern)


@contextmanager
def secured_kafka(folder: Path, ours: Authority) -> Iterator[SecuredKafka]:
    """One in an empty folder, ended with the block. Raises KafkaMissing, BrokerFailed."""
    broker = SecuredKafka(folder, kafka_lib(), ours)
    try:
        yield broker
    finally:
        broker.kill()
