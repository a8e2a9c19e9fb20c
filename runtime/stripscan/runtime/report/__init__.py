"""What is said of a coil to people and programs: HTML, JSON and CSV from one store."""
