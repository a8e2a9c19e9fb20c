"""What runs beside the line: sources, engines, stitching, store, report and their station."""
