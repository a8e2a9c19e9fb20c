"""Readers of foreign data sets, one module a format."""
