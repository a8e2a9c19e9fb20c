"""Severity of defects and grade of coils by a file of the mill."""
