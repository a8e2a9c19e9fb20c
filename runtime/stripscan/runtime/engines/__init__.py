"""What runs a model: tiles in, masks and scores out."""
