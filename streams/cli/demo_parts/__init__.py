"""What `churnwatch demo` is made of. Read in this order.

system       broker, Valkey, topics and a worker, started on this machine and watched
story        what is replayed: simulated customers, whose truth is known, together with the CDNOW purchases
bad_events   a dozen records that no producer should send
feed         alerts and dead letters as they arrive, counted, and which of them to show
worker_page  what the worker says of itself over HTTP
show         how all that is shown while it happens: on a terminal, in a pipe, or not at all
words        small texts, made fit for a terminal
truth        alerts about simulated customers against what was true
summary      the numbers at the end, as one value
closing      the same for people, and what to try next
"""
