"""What comes from outside, mangled: does any reader of it do anything but what its docstring promises?

    mutations   valid input, mangled byte by byte and value by value
    targets     each reader, what it is given, and what must then hold
    shrink      what fails, made smaller
    run         for so many seconds; what fails is written to `found/`, and tried again in every later run

`make fuzz` runs all for minutes and prints the seeds; `python -m tests.fuzz --again FILE` repeats one input.
"""
