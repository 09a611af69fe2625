"""The world: settings, Kafka, Redis, HTTP. Everything that waits, fails or asks what time it is.

In the order to read:

    settings, settings_sections     what an operator decides (settings_base, settings_kafka, settings_redis, settings_channels,
                                    settings_problems, settings_docs); playbook_file: what retention does; strict_yaml
                                    reads both
    app                             the composition root: one worker, put together; rules and kafka_client from its settings
    topics, intake                  the topics; whole fetched batches out of Faust (faust_options: its broker)
    owner, partition                which partitions are ours; one of them at work (admission: may we? log_range: where a topic
                                    begins and ends; arrivals: what is on its way; task_set: those that run;
                                    acknowledgements: what Faust is told)
    mode, history_clock             is history being loaded, or is the partition live? ticks, up to the switch
    live_clock, prober              may the wall clock move the watermark? where do the topics end?
    store, redis_store, scripts/    the port to state, its Redis adapter, the scripts that commit; store_rules for every
                                    adapter; redis_link and redis_wire below
    committer, commits              from a batch to a commit; what one commit writes (step_metrics), triggers
                                    with it (triggering); backoff between attempts
    shop                            what the partitions of a worker share
    outbox, sender, graveyard       what leaves, in order, until Kafka has acknowledged; dead letters
    models, partitioner             which parameters are in use; which partition a customer is in
    channels, subscription          what goes to people: each channel reads churn.alerts for itself (sole_assignor: one worker at
                                    a time), and tells it (held_channel)
    metrics, collectors             everything that /metrics shows
    health, health_server, logs     is it alive, is it ready; lines without secrets
    standing, switching, catch_up   for `go-live`: how the partitions stand, the switch, the one digest
    admin, lag, dead_letter_reader, reading   for the commands (checksums: their CRCs, compiled); diagnosis,
                                    redis_diagnosis and findings for `doctor`
    customer_view, connect          one customer as Redis has it; parameters_in_use, forgetting for `fit` and `rebuild`
    embedded, child, wheels         the broker and the Valkey that the demo starts
"""
