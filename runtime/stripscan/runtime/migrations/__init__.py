"""How the tables of a store came to be as they are: one Alembic revision a file, in a line.

To change a table:

1. Change it in ``store_tables.py``.
2. Add ``rNNNN_what_for.py`` here, with ``revision`` and ``down_revision`` as four digits, one up
   from the last, and ``upgrade()`` by the operations of ``alembic.op``. It uses the types of
   ``store_types.py`` and nothing else of ours: what was released never changes.
3. Run the tests: they compare the tables with what the revisions make, on both databases.

Nothing else is to be done: the highest revision is the version of a store, an older store is
upgraded when it is opened, and a newer one is refused. There is no way back down: a store is
restored from a backup.
"""
