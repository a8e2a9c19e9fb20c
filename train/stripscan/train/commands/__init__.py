"""The commands that this layer brings to the ``stripscan`` program."""
