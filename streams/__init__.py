"""From events to decisions. Modules here are pure; `runtime/`, `backtest/` and `cli/` bring them into the world.

The way through, in the order to read:

    contract, events       what events are; a chunk of JSON to columns (refusals, field_checks, money, ticks)
    dead_letters           what becomes of the rest (redriven: what was sent again says so)
    letter_marks, voids    what was done about a letter, and that its record counts no more where it stood (letter_filter,
                           rejudge: which letters, and whether they would pass now)
    commands, tombstones, erasure   what is asked about one customer; who was erased, and how that is done
    columns                events as parallel arrays, the only shape in which they travel
    complaint_causes, record_marks   what a complaint's words speak of, and the byte of the record that keeps it
    merge, merge_buffer    a partition's topics as one stream in time order
    watermark, clock_rule  how far event time has come, and whether the wall clock may move it (inflow)
    reference_clock        whose clock that is
    customer               the record: one fixed-width row a customer, its bytes what Redis stores (once: customer_v1)
    windows, rfm           rolling sums; the fold of events into rows (record_marks: who has cancelled)
    quintiles, segments    R, F and M scores against the base; the segment they make
    features, timers       what risk is computed from; when the silent are looked at
    table, state           a partition's customers; what the partition itself remembers
    customer_causes        why customers would leave, most probably
    evaluations, explain   scores in their order; alerts with their reasons (transitions: without words)
    working_rows, board    the rows and rounds of one step; customers by tier and segment
    model_inputs, scoring  what a model may know of a customer; the risk it sees (folded_ahead: of all events of a step at once)
    outcomes, outcome_looks   when customers are taken down for learning, and what became of them (staying: by what)
    pending, labels, scores   how that waits, and how it travels to the learner with what customers were scored
    label_order, counted_once   what the learner learns next, however it came; each label and score once
    serving, model_control   what was learnt, on its way to the workers; what a person has to say about it
    challenging            what challengers are fed with: labels, and what others said of their snapshots
    refits                 when the closed form is fitted anew, and how
    engine, step           all of it: advance(table, batch, now) -> Step
"""
