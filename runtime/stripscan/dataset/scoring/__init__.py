"""How well masks fit labels: counts per image, figures of merit, intervals, and their page."""
