"""Labelled images from disk: readers, leak-free splits, and the figures of merit."""
