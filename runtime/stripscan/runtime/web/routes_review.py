"""What people say of defects and alarms."""

from collections.abc import Iterator
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from stripscan.runtime.web.context import Asker, Context, With, address_of, needs
from stripscan.runtime.web.reading import known_coil
from stripscan.runtime.web.relabel import relabel_zip
from stripscan.runtime.web.reviews import Review
from stripscan.runtime.web.roles import Role
from stripscan.runtime.web.routes_coils import Coil

router = APIRouter(prefix="/api")


class GivenReview(BaseModel):
    """What somebody says of a defect."""

    model_config = ConfigDict(extra="forbid")
    coil: Annotated[str, Field(min_length=1, max_length=128)]
    number: Annotated[int, Field(ge=0, le=2**31 - 1)]
    verdict: Literal["confirm", "reclass", "reject", "undo"]
    class_name: Annotated[str, Field(max_length=64)] = ""


class SeenAlarm(BaseModel):
    """Which alarm somebody has seen."""

    model_config = ConfigDict(extra="forbid")
    alarm: Annotated[str, Field(min_length=1, max_length=512)]


@router.get("/reviews")
def reviews(context: With, coil: Coil) -> list[dict[str, Any]]:
    """Return the reviews of a coil that count."""
    return [asdict(review) for review in context.reviews.of_coil(coil).values()]


@router.post("/reviews", dependencies=[needs(Role.REVIEWER)])
def review(given: GivenReview, request: Request, context: With, asker: Asker) -> dict[str, Any]:
    """Keep a review."""
    made = context.reviews.add(
        given.coil,
        given.number,
        given.verdict,
        class_name=_class_name(given, context),
        user=asker.user,
    )
    detail = f"coil {made.coil}, defect {made.number}: {made.verdict} {made.class_name}".strip()
    context.database.note("review", user=asker.user, address=address_of(request), detail=detail)
    return asdict(made)


@router.get("/relabel", dependencies=[needs(Role.ENGINEER)])
def relabel(
    request: Request,
    context: With,
    asker: Asker,
    coil: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """Return reviewed defects as a zip for ``stripscan data prepare``; of all coils if none."""
    with context.reader.store() as store:
        if coil:
            known_coil(store, coil)
        known = {record.id for record in store.coils()}
        chosen = [coil] if coil else [each for each in context.reviews.coils() if each in known]
        packed = relabel_zip(store, _that_count(context, chosen))
    context.database.note(
        "relabel set taken out",
        user=asker.user,
        address=address_of(request),
        detail=coil or "all coils",
    )
    headers = {"Content-Disposition": 'attachment; filename="relabel.zip"'}
    return Response(packed, media_type="application/zip", headers=headers)


@router.post("/alarms/seen", status_code=HTTPStatus.NO_CONTENT, dependencies=[needs(Role.REVIEWER)])
def seen(given: SeenAlarm, request: Request, context: With, asker: Asker) -> Response:
    """Note that somebody has seen an alarm."""
    context.reviews.acknowledge(given.alarm, asker.user)
    context.database.note(
        "alarm seen", user=asker.user, address=address_of(request), detail=given.alarm
    )
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _class_name(given: GivenReview, context: Context) -> str:
    """Return the class that a review gives to a defect; empty where it gives none."""
    with context.reader.store() as store:
        record = known_coil(store, given.coil)
        names = [c.name for c in record.classes]
    if record.status == "running":
        raise HTTPException(
            HTTPStatus.CONFLICT, "the coil still runs: its defects may join; review it at its end"
        )
    found = context.reader.defects(given.coil, [given.number])
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"coil has no defect {given.number}")
    if given.verdict in {"reject", "undo"}:
        return ""
    if given.verdict == "confirm":
        return found[0].class_name
    if given.class_name not in names:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"class_name is one of {', '.join(names)}"
        )
    return given.class_name


def _that_count(context: Context, coils: list[str]) -> Iterator[Review]:
    for coil in coils:
        yield from context.reviews.of_coil(coil).values()
