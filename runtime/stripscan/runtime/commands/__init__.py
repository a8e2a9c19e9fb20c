"""The commands that the lean install brings, one module each."""
