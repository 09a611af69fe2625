"""The command line. One module a command, named after it; `main` puts them together and turns errors into one line.

main      `churnwatch`: which commands there are, what their errors become
report    how commands show findings, tables and JSON
errors    CommandError: what went wrong, and what to do
"""
