"""What is done to a camera's lines around the model: grey curve, flat field, edges, drift."""
