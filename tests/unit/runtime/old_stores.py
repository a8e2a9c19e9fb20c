"""The tables of stores as they were released before there were migrations."""

from typing import Final

VERSION_1: Final = """
CREATE TABLE coil (
    id TEXT PRIMARY KEY,
    station TEXT NOT NULL,
    camera TEXT NOT NULL,
    surface TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'interrupted', 'failed')),
    width_px INTEGER NOT NULL,
    mm_per_px REAL NOT NULL,
    mm_per_line REAL NOT NULL,
    length_m REAL,
    bundle_name TEXT NOT NULL,
    bundle_digest TEXT NOT NULL,
    classes TEXT NOT NULL,
    stats TEXT NOT NULL
) STRICT;
CREATE TABLE defect (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    phase TEXT NOT NULL,
    class_name TEXT NOT NULL,
    confidence REAL NOT NULL,
    class_share TEXT NOT NULL,
    severity TEXT NOT NULL,
    along_start_m REAL NOT NULL,
    along_end_m REAL NOT NULL,
    across_left_mm REAL NOT NULL,
    across_right_mm REAL NOT NULL,
    area_mm2 REAL NOT NULL,
    length_mm REAL NOT NULL,
    width_mm REAL NOT NULL,
    edge_left_mm REAL NOT NULL,
    edge_right_mm REAL NOT NULL,
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    first_px INTEGER NOT NULL,
    last_px INTEGER NOT NULL,
    area_px INTEGER NOT NULL,
    PRIMARY KEY (coil, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE mask_part (
    id INTEGER PRIMARY KEY,
    coil TEXT NOT NULL,
    number INTEGER NOT NULL,
    runs BLOB NOT NULL,
    FOREIGN KEY (coil, number) REFERENCES defect (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX mask_part_of_defect ON mask_part (coil, number);
CREATE TABLE picture (
    coil TEXT NOT NULL,
    number INTEGER NOT NULL,
    image_png BLOB NOT NULL,
    first_line INTEGER NOT NULL,
    first_px INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    width INTEGER NOT NULL,
    PRIMARY KEY (coil, number),
    FOREIGN KEY (coil, number) REFERENCES defect (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE TABLE coverage (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    camera TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    stop_line INTEGER NOT NULL,
    along_start_m REAL NOT NULL,
    along_end_m REAL NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (coil, camera, first_line)
) STRICT, WITHOUT ROWID;
"""

VERSION_2: Final = """
CREATE TABLE roll_repeat (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    phase TEXT NOT NULL,
    class_name TEXT NOT NULL,
    rolls TEXT NOT NULL,
    period_mm REAL NOT NULL,
    diameter_mm REAL NOT NULL,
    across_mm REAL NOT NULL,
    first_m REAL NOT NULL,
    last_m REAL NOT NULL,
    prints INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    PRIMARY KEY (coil, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE roll_print (
    coil TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    defect INTEGER NOT NULL,
    PRIMARY KEY (coil, repeat, defect),
    FOREIGN KEY (coil, repeat) REFERENCES roll_repeat (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
"""

VERSION_3: Final = """
CREATE TABLE grading (
    id INTEGER PRIMARY KEY,
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    graded_at TEXT NOT NULL,
    rules_name TEXT NOT NULL,
    rules_version TEXT NOT NULL,
    rules_sha256 TEXT NOT NULL,
    rules_text TEXT NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('accept', 'downgrade', 'hold')),
    reasons TEXT NOT NULL
) STRICT;
CREATE INDEX grading_of_coil ON grading (coil, id);
"""

VERSIONS: Final = (VERSION_1, VERSION_2, VERSION_3)
"""Each adds to the one before it."""
