"""The flat fields of cameras side by side as one."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from stripscan.runtime.conditioning.flat_field import GAIN_RANGE, FlatField, Origin
from stripscan.runtime.panorama.geometry import Share


def joined_field(
    shares: Sequence[Share], fields: Mapping[str, FlatField | None]
) -> FlatField | None:
    """Return the flat field of a picture that cameras make together; None where none has one.

    Each camera's is learned by itself, so that the same metal may be a little brighter left of a
    seam than right of it. All are brought to the median of their levels: a step in the light
    along a seam would look like a defect. Who has no flat field is left as it is.

    Args:
        shares: Who owns which columns.
        fields: The cameras' own, by name.
    """
    known = [field for share in shares if (field := fields[share.camera]) is not None]
    if not known:
        return None
    levels = [field.level_grey for field in known if field.level_grey is not None]
    level = statistics.median(levels) if levels else None
    width = shares[-1].stop
    offset, gain = np.zeros(width, np.float32), np.ones(width, np.float32)
    learned, dead = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    for share in shares:
        field = fields[share.camera]
        if field is None:
            continue
        lift = level / field.level_grey if level and field.level_grey else 1.0
        columns = share.columns
        offset[columns] = share.spread(field.offset)
        gain[columns] = np.clip(share.spread(field.gain) * lift, *GAIN_RANGE)
        learned[columns] = share.spread(field.learned.astype(np.float32)) == 1
        dead[columns] = share.spread(field.dead.astype(np.float32)) > 0
    origin = _origin(shares, known)
    return FlatField(
        origin=origin, level_grey=level, offset=offset, gain=gain, learned=learned, dead=dead
    )


def _origin(shares: Sequence[Share], known: Sequence[FlatField]) -> Origin:
    """Return where the fields are from, as that of one."""
    whole = len(known) == len(shares) and {f.origin.target for f in known} == {"strip"}
    return dataclasses.replace(
        known[0].origin,
        camera=", ".join(share.camera for share in shares),
        # Only what was learned on strip, throughout, tells how bright strip is.
        target="strip" if whole else "white",
        learned_at=min(field.origin.learned_at for field in known),
    )
