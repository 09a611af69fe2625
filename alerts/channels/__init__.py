"""Ways out other than Kafka; the only part of alerts/ that may touch the world. None yet: churn.alerts is the contract."""
