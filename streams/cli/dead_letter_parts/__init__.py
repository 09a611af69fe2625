"""What `churnwatch dead-letters` is made of.

options   which letters are meant, as all its commands are asked
asking    looking for letters with progress, and asking before anything is done
times     `--since 2h`, `--until 2026-11-24`
words     what a record holds, made fit for a terminal
show      letters for people and for programs
send      `redrive`, with what it says and asks
"""
