"""Export: a checkpoint in, a verified bundle out."""
