"""Several cameras as one wide one: their columns, their lines, and what each of them missed."""
