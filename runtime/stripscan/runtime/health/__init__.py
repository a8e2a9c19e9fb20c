"""What a machine beside the line must be like, and whether this one is."""
