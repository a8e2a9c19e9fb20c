"""How people, Level 2 and monitoring talk to a running station."""
