"""The live page of a station, served by a process of its own."""
