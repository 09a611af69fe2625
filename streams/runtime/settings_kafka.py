"""The settings of Kafka: where it is, how to get in, what the topics are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from streams.runtime.settings_base import TOPIC_CHARACTERS, HostPorts, Name, Rules, Section
from streams.runtime.tls import TlsFiles
from streams.runtime.topics import EVENTS, INPUTS, TopicSpec, read_by_workers, topic_specs


class KafkaSettings(Section):
    bootstrap: HostPorts = Field("localhost:9092", description="Brokers to start from, `host:port,…`")
    group: Name = Field("churnwatch", description="Consumer group that shares out the partitions")
    topic_prefix: str = Field("", pattern=TOPIC_CHARACTERS, max_length=100, description="Put before every topic's name")
    partitions: int = Field(4, ge=1, le=4096, description="Partitions of each input; cannot be changed later without a rebuild")
    cancellations: bool = Field(
        False, description="Read the topic `cancellations` too: customers who ended the relationship. `topics create` makes it"
    )
    replication: int = Field(1, ge=1, le=9, description="Replicas of each topic that `churnwatch topics create` makes")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to connect"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(None, description="How to log in")
    username: str | None = Field(None, description="Who logs in")
    password: SecretStr | None = Field(None, description="With what; better in the environment than in the file")
    ca_file: str | None = Field(
        None, description="PEM file of the authority behind the brokers' certificates; none: the system's"
    )
    cert_file: str | None = Field(None, description="PEM file of our certificate, where brokers ask for one")
    key_file: str | None = Field(None, description="PEM file of its key; none: it is in `kafka.cert_file`")
    key_password: SecretStr | None = Field(None, description="Of the key, if it is encrypted; better in the environment")

    def rules(self) -> Rules:
        sasl, tls = self.security_protocol.startswith("SASL_"), self.security_protocol.endswith("SSL")
        for field in ("sasl_mechanism", "username", "password"):
            given = getattr(self, field) is not None
            if sasl and not given:
                yield field, f"is needed when kafka.security_protocol is {self.security_protocol}"
            if given and not sasl:
                yield field, "would not be used: set kafka.security_protocol to SASL_SSL (or SASL_PLAINTEXT), or remove it"
        for field in () if tls else ("ca_file", "cert_file", "key_file", "key_password"):
            if getattr(self, field) is not None:
                yield field, "would not be used: set kafka.security_protocol to SSL or SASL_SSL, or remove it"
        for field in ("key_file", "key_password") if tls and self.cert_file is None else ():
            if getattr(self, field) is not None:
                yield field, "would not be used: set kafka.cert_file, or remove it"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Topics of events, by rank, without the prefix."""
        return EVENTS if self.cancellations else INPUTS

    @property
    def read(self) -> dict[str, str]:
        """Topics that workers read, without the prefix -> the name under which their offsets are kept."""
        return read_by_workers(cancellations=self.cancellations)

    def topics(self) -> tuple[TopicSpec, ...]:
        """Every topic of the system."""
        return topic_specs(self.topic_prefix, self.partitions, cancellations=self.cancellations)

    def tls_files(self) -> TlsFiles:
        """What TLS is made of, in every client of Kafka's."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file, self.key_password)
