"""What a data set is made of, before anything is trained on it: figures, and one HTML page."""
