"""The pipe to the engine, with small real processes at its other end that speak the protocol, badly where needed."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.contract.errors import Cancelled, EngineError, FootageError, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Point, Prompt
from addon.contract.protocol import PROTOCOL_VERSION
from addon.contract.requests import Export, Track
from addon.runtime.engine_client import Engine, engine_command
from addon.runtime.locate import NO_BASE, engine_environment

ROOT = Path(__file__).resolve().parents[2]

JOB = Job(
    footage=Footage(("/plates/Zoë/0001.png",), 64, 48, 1),
    objects=(MatteObject("Person", (Prompt(1, (Point(3, 4),)),)),),
)

SPEAK = """
import json, sys

def say(**event):
    print(json.dumps(event), flush=True)

def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else None

say(id=0, event="ready", protocol=PROTOCOL)
""".replace("PROTOCOL", str(PROTOCOL_VERSION))


@pytest.fixture
def start() -> Iterator[object]:
    """Starts an engine that runs a script after having said that it is ready."""
    engines = []

    def start(script: str, speak: str = SPEAK) -> Engine:
        command = [sys.executable, "-c", speak + textwrap.dedent(script)]
        engines.append(Engine(command, engine_environment(ROOT)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.stop()
        assert not engine.alive


def test_events_until_done(start) -> None:
    engine = start("""
        request = hear()
        say(id=request["id"], event="progress", stage="track", done=1, total=2, frame=7)
        say(id=request["id"], event="done", folder=request["job"]["footage"]["files"][0], frames=2)
        hear()
    """)
    reply = engine.request(Export(JOB))
    events = list(reply)
    assert [event["event"] for event in events] == ["progress", "done"]
    assert reply.result == events[-1]
    assert events[-1]["folder"] == "/plates/Zoë/0001.png"


def test_polling_never_waits(start) -> None:
    engine = start("""
        request = hear()
        hear()
        say(id=request["id"], event="done")
        hear()
    """)
    reply = engine.request(Track(JOB))
    assert reply.poll() == []
    assert reply.result is None
    reply.cancel()
    list(reply)
    assert reply.result is not None
    assert reply.poll() == []


def test_answers_find_their_requests(start) -> None:
    engine = start("""
        first, second = hear(), hear()
        say(id=second["id"], event="done", frames=2)
        say(id=99, event="done", frames=99)
        say(id=first["id"], event="done", frames=1)
        hear()
    """)
    replies = [engine.request(Track(JOB)), engine.request(Track(JOB))]
    assert [[event["frames"] for event in reply] for reply in replies] == [[1], [2]]


def test_errors_keep_their_kind(start) -> None:
    engine = start("""
        request = hear()
        say(id=request["id"], event="error", exit_code=4, message="Broken.", where="a.png", hint="Fix it.")
        hear()
    """)
    with pytest.raises(FootageError) as caught:
        list(engine.request(Track(JOB)))
    assert str(caught.value) == "a.png: Broken. Fix it."


def test_cancel(start) -> None:
    engine = start("""
        request = hear()
        cancel = hear()
        assert (cancel["do"], cancel["request"]) == ("cancel", request["id"])
        say(id=request["id"], event="error", exit_code=8, message="Stopped.")
        hear()
    """)
    reply = engine.request(Track(JOB))
    reply.cancel()
    with pytest.raises(Cancelled):
        list(reply)
    assert engine.alive


def test_death_is_an_error_with_the_end_of_the_log(start) -> None:
    engine = start("""
        hear()
        for i in range(100_000):
            print("line", i, file=sys.stderr)
        print("RuntimeError: out of memory, Zoë", file=sys.stderr)
        sys.exit(3)
    """)
    with pytest.raises(EngineError) as caught:
        list(engine.request(Track(JOB)))
    assert "exit code 3" in str(caught.value)
    assert "out of memory, Zoë" in str(caught.value)
    assert "line 99999" in str(caught.value)
    assert "line 99000" not in str(caught.value)
    assert not engine.alive
    with pytest.raises(EngineError):
        engine.request(Track(JOB)).poll()


def test_death_before_it_is_ready(start) -> None:
    engine = start('raise ImportError("No module named torch")', speak="")
    with pytest.raises(EngineError, match="No module named torch"):
        list(engine.request(Track(JOB)))


def test_the_python_behind_it_is_gone(start) -> None:
    """A virtual environment's launcher ends like this on Windows after an update of Blender."""
    engine = start(f"raise SystemExit({NO_BASE})", speak="")
    with pytest.raises(EngineError, match="press Repair"):
        list(engine.request(Track(JOB)))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_killed(start) -> None:
    engine = start("""
        request = hear()
        say(id=request["id"], event="progress", stage="track", done=1, total=2, frame=7)
        hear()
    """)
    reply = engine.request(Track(JOB))
    events = iter(reply)
    next(events)
    os.kill(engine.pid, 9)
    with pytest.raises(EngineError, match="signal 9"):
        next(events)


@pytest.mark.parametrize("line", ["no json", "[1]", '{"id": 1}', '{"event": "done"}', "\\xff\\xfe", '{"id": 1, "eve'])
def test_a_broken_line(start, line: str) -> None:
    engine = start(f"""
        hear()
        sys.stdout.buffer.write({line!r}.encode("latin-1") + b"\\n")
        sys.stdout.flush()
        hear()
    """)
    with pytest.raises(EngineError):
        list(engine.request(Track(JOB)))
    assert not engine.alive


def test_another_protocol(start) -> None:
    speak = SPEAK.replace(f"protocol={PROTOCOL_VERSION}", "protocol=77")
    engine = start('say(id=0, event="ready", protocol=99)\nhear()', speak=speak)
    with pytest.raises(EngineError, match="version 77 of the protocol"):
        list(engine.request(Track(JOB)))


def test_a_large_job_does_not_wait_for_a_slow_engine(start) -> None:
    """More than a pipe holds, sent before the engine reads anything."""
    files = tuple(f"/plates/{'x' * 200}/{i:06d}.png" for i in range(20_000))
    job = Job(footage=Footage(files, 64, 48, len(files)), objects=JOB.objects)
    engine = start("""
        first = hear()
        second = hear()
        say(id=first["id"], event="done", frames=len(first["job"]["footage"]["files"]))
        say(id=second["id"], event="done")
        hear()
    """)
    reply = engine.request(Track(job))
    list(engine.request(Track(JOB)))
    (done,) = reply
    assert done["frames"] == 20_000


def test_it_ends_when_asked(start) -> None:
    engine = start("""
        while (request := hear()) and request["do"] != "quit":
            pass
    """)
    assert engine.alive
    engine.stop()
    assert not engine.alive


def test_it_ends_when_it_does_not_listen(start) -> None:
    engine = start("""
        import threading
        threading.Event().wait()
    """)
    engine.stop()
    assert not engine.alive


def test_its_stdin_closes_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed takes the engine along, whatever it was doing: here a child of ours has the child."""
    import subprocess

    child = "import sys; print('ready', flush=True, file=sys.stderr); sys.stdin.read(); open('ended', 'w').close()"
    parent = f"""
        import os, sys
        from addon.runtime.engine_client import Engine
        from addon.runtime.locate import engine_environment
        from pathlib import Path
        engine = Engine([sys.executable, "-c", {f"import os; os.chdir({str(tmp_path)!r}); " + child!r}],
                        engine_environment(Path({str(ROOT)!r})))
        while not engine._process.last_words(1):
            pass
        os._exit(1)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(parent)], cwd=ROOT, check=False)
    while not (tmp_path / "ended").exists():
        threading.Event().wait(0.02)


def test_no_such_python() -> None:
    with pytest.raises(EngineError, match="Check Engine Python"):
        Engine(engine_command(Path("/nowhere/python")), {})


def test_threads_end_with_the_engine(start) -> None:
    engine = start("hear()")
    engine.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("splat-matte"):
            thread.join(5)
            assert not thread.is_alive()


def test_job_errors_are_not_the_engines(start) -> None:
    engine = start("""
        request = hear()
        say(id=request["id"], event="error", exit_code=3, message="No.")
        request = hear()
        say(id=request["id"], event="done")
        hear()
    """)
    with pytest.raises(JobError):
        list(engine.request(Track(JOB)))
    assert [event["event"] for event in engine.request(Track(JOB))] == ["done"]
