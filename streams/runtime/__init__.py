"""The world: settings, Kafka, Redis, HTTP. Everything that waits, fails or asks what time it is.

In the order to read:

    settings, settings_sections     what an operator decides (settings_base, settings_kafka, settings_redis, settings_channels,
                                    settings_erasure, settings_learning, settings_problems, settings_secrets, settings_docs;
                                    settings_across: do they go together?); playbook_file: what retention does; strict_yaml
                                    reads both
    tls, kafka_login                certificates, and how clients of Kafka log in; kafka_refused, redis_refused: what waiting
                                    will not mend; kafka_rights, redis_rights: what each role may do (rights_docs)
    service, app                    what every process is; the composition root: one worker, put together; rules and kafka_client
                                    from its settings
    topics, intake                  the topics; whole fetched batches out of Faust (faust_options: its broker)
    owner, partition                which partitions are ours; one of them at work (taking: how much at once, and is there a model
                                    for it? admission: may we? log_range: where a topic
                                    begins and ends; arrivals: what is on its way; offsets (fetch_state: as fetches
                                    left them; told_offsets: what Kafka is told); task_set: those that run;
                                    claim; gaps, losses: what is gone from a topic before it was read; topic_watch,
                                    topic_ids: is it still the same topic?)
    mode, history_clock             is history being loaded, or is the partition live? ticks, up to the switch
    live_clock, prober              may the wall clock move the watermark? where do the topics end?
    broker_clock, asking_time       what time is it? what the stamps on the journal tell; the first of them
    entrance                        may we do all that we will do? asked before the first event
    store, redis_store, scripts/    the port to state, its Redis adapter, the scripts that commit; store_rules for every
                                    adapter; redis_wire, redis_scans, redis_calls and redis_link below: one server, redis_cluster,
                                    redis_sentinel (redis_connections, redis_errors); redis_watch: does it evict?
    command_inbox, erasing          what is commanded, and carried out before anything else
    committer, commits              from a batch to a commit; what one commit writes (step_metrics), triggers with it
                                    (triggering), what the learner is told (labelling); backoff between attempts, waits: who is
                                    being waited for
    shop                            what the partitions of a worker share
    learner_app                     the composition root of the learner: learner_owner (is it us?), learner_task (take, learn,
                                    commit, publish), learner_desk (all that it knows; learner_papers: what is to leave),
                                    learner_store (what it has committed), learner_models (what stands on churn.models),
                                    learner_fitter, learner_metrics; label_reader
    challengers_app                 the composition root of the challengers, who read churn.labels beside it; challengers_metrics
    outbox, sender, graveyard       what leaves, in order, until Kafka has acknowledged (dispatch: to which topics); dead letters
    models, partitioner             what scores (follower: of a topic; model_choice: which); which partition a customer is in
    cause_files                     models of causes, and labelled complaints
    channels, subscription          what goes to people: each channel reads churn.alerts for itself (sole_assignor: one worker at
                                    a time), and tells it (held_channel)
    metrics, collectors, gauges     everything that /metrics shows
    health, health_server, logs     is it alive, is it ready; lines without secrets (last_words: tracebacks too)
    standing, switching, catch_up   for `go-live`: how the partitions stand, the switch, the one digest
    admin, lag, reading             for the commands (checksums: their CRCs, compiled); diagnosis, redis_diagnosis,
                                    sentinel_diagnosis, learner_diagnosis and findings for `doctor`
    dead_letter_reader, mark_reader what was refused, and what was done about it; redriving and dropping do it, letter by letter
                                    (letter_plan, original), in letter_transactions; rereading: a rebuild makes letters void
    erase_requests                  for `erase`: the commands, and the notices that they are done
    customer_view, connect          one customer as Redis has it; model_in_use and model_shelf for
                                    `models` and whoever scores, forgetting for `rebuild`
    embedded, child, wheels         the broker and the Valkey that the demo starts
"""
