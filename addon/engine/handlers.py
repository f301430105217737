"""The function for each kind of request, which is found by the type of its first argument."""

from __future__ import annotations

import functools
from pathlib import Path

from ..contract.disk import free_name
from ..contract.layout import STATIC_MASK
from ..contract.protocol import Answer
from ..contract.requests import (
    Clean,
    Export,
    Farm,
    FindStatic,
    Finish,
    Found,
    Outlines,
    Preview,
    Repair,
    Request,
    Retrack,
    Review,
    Select,
    Suggest,
    Track,
)
from .farm.shots import Shot
from .farm.submit import submit
from .session import Session, Tracked


@functools.singledispatch
def carry_out(request: Request, session: Session) -> Answer:
    """Carry out a request. Returns the fields of `done`. Raises MatteError."""
    raise NotImplementedError(type(request).__name__)


@carry_out.register
def _track(request: Track, session: Session) -> Answer:
    return _tracked(session.track(request.job))


@carry_out.register
def _retrack(request: Retrack, session: Session) -> Answer:
    return _tracked(session.retrack(request.job))


@carry_out.register
def _export(request: Export, session: Session) -> Answer:
    tracked, folder = session.export(request.job, Path(request.picked_from) if request.picked_from else None)
    return {**_tracked(tracked), "folder": str(folder)}


@carry_out.register
def _review(request: Review, session: Session) -> Answer:
    found = session.review(request.job, Path(request.poses) if request.poses else None)
    return {"suspects": sum(map(len, found.values()))}


@carry_out.register
def _clean(request: Clean, session: Session) -> Answer:
    cleaned = session.clean(
        request.job,
        Path(request.splat),
        Path(request.poses),
        views=request.views,
        remove_floaters=request.floaters,
        write=request.write,
    )
    counts: Answer = {"gaussians": cleaned.gaussians, "floaters": cleaned.floaters, "removed": cleaned.removed}
    return {**counts, "file": str(cleaned.file)} if cleaned.file else counts


@carry_out.register
def _select(request: Select, session: Session) -> Answer:
    file, choice = session.select(request.job, request.count, request.takes)
    kept = len(choice.kept)
    dropped = len(request.job.frames) - kept
    return {"file": str(file), "kept": kept, "dropped": dropped, "blurred": len(choice.blurred)}


@carry_out.register
def _farm(request: Farm, session: Session) -> Answer:
    folder = Path(request.folder)
    runtime, code = (Path(named) if named else None for named in (request.runtime, request.code))
    shots = [Shot(folder.name, request.job)]
    done = submit(shots, folder, request.engine, session.warn, runtime=runtime, code=code, manager=request.manager)
    return {"folder": request.folder, "command": done.words}


@carry_out.register
def _repair(request: Repair, session: Session) -> Answer:
    repairs = session.repair(request.job, Path(request.poses) if request.poses else None)
    file = session.put_repairs(request.job, repairs)
    return {"file": str(file), "repairs": sum(len(found.offers) for found in repairs.values())}


@carry_out.register
def _find_static(request: FindStatic, session: Session) -> Answer:
    job = request.job
    path = free_name(job.matte_folder / STATIC_MASK)
    return {"file": str(session.find_static(job.footage, job.frames, path)[0])}


@carry_out.register
def _outlines(request: Outlines, session: Session) -> Answer:
    return {"file": str(session.outlines(request.job, request.frames, request.points))}


@carry_out.register
def _suggest(request: Suggest, session: Session) -> Answer:
    return {"file": str(session.suggest(request.job, request.frame))}


@carry_out.register
def _preview(request: Preview, session: Session) -> Answer:
    return {"file": str(session.preview(request.job, request.frame))}


@carry_out.register
def _finish(request: Finish, session: Session) -> Answer:
    return {"file": str(session.finish(request.job, request.frame, request.takes))}


@carry_out.register
def _found(request: Found, session: Session) -> Answer:
    file, folder = session.found(request.job, request.frame)
    return {"file": str(file), "found": str(folder)}


def _tracked(tracked: Tracked) -> Answer:
    suspects = sum(map(len, tracked.suspects.values()))
    answer: Answer = {"device": tracked.model, "frames": len(tracked.frames), "suspects": suspects}
    if tracked.found is not None:
        answer["found"] = str(tracked.found)
    return answer
