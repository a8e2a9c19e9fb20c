"""Terminal: what a person or a log collector reads from the program."""
