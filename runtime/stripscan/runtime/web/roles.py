"""What users of the live page may do."""

from enum import IntEnum


class Role(IntEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = 1  # look on
    REVIEWER = 2  # judge defects, acknowledge alarms
    ENGINEER = 3  # take out relabel sets, read the audit log
