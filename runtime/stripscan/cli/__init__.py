"""The `stripscan` program: one module a command, wired here and nowhere else."""
