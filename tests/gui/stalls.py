"""How quick the window is while the extension works: measured by hand in a real Blender, for `bench window`.

Blender's main loop is watched by a timer: what lies between two of its calls, beyond the pause that it asked for, is
a stall, during which no key and no click is taken. Beside the seconds of the clock stands what Blender computed
meanwhile, its main thread and all of its threads (those of software GL draw), and how long its main thread could have
gone on but had no processor, as Linux counts it: on a machine with other work the clock says as much about that as
about us. Our share of it is what the main thread computes from the call of a function of ours to its return, with all
that it calls of Blender. What Blender takes without us is scrubbed before anything is marked, when we have nothing to
draw. Another thread notes every few milliseconds which of our functions the main thread is in: those of the longest
stall are named.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT = (0.49, 0.6)
PAUSE = 0.004  # seconds between two looks at the loop
SCRUBBED = 12  # frames


OURS = f"{hand.PACKAGE.replace('.', '/')}/".rpartition("bl_ext/")[2]  # in the path of each of our files

drawn: dict[str, list[float]] = {"UI": [], "WINDOW": []}  # when regions of clip editors were, by kind
_gaps: list[Seconds] = []  # between two looks at the loop
_seen: deque[tuple[float, str]] = deque(maxlen=20_000)  # when the main thread was in which function of ours
_worst: tuple[float, str] = (0.0, "")  # of one gap: seconds that the main thread computed, and where
_ours = 0.0  # seconds that the main thread has computed in functions of ours
_outermost: tuple[FrameType, float] | None = None  # of ours, while the main thread is in one, and when it was called


class Seconds(NamedTuple):
    """Of the clock; of these without a processor, and computed by Blender's main thread; of that in functions of ours;
    computed by all threads."""

    clock: float
    waited: float
    main: float
    ours: float
    all: float

    @classmethod
    def now(cls) -> Seconds:
        """Where the clocks stand, in the main thread. Source: Linux, Documentation/scheduler/sched-stats.rst."""
        waited = int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
        return cls(time.monotonic(), waited, time.thread_time(), _ours, time.process_time())

    def since(self, before: Seconds) -> Seconds:
        """What went by."""
        return Seconds(*(a - b for a, b in zip(self, before, strict=True)))

    def in_words(self) -> str:
        """Describe everything except the wall-clock seconds."""
        computed = f"{self.main:.3f} s computed, {self.ours:.3f} s of it by us, {self.all:.3f} s by all threads"
        return f"{self.waited:.3f} s without a processor, {computed}"


_last = Seconds(0.0, 0.0, 0.0, 0.0, 0.0)


def watch() -> None:
    """Begin to look."""
    threading.Thread(target=_sample, daemon=True).start()
    sys.setprofile(_count_ours)
    for kind in drawn:
        bpy.types.SpaceClipEditor.draw_handler_add(_note_drawing, (kind,), kind, "POST_PIXEL")
    bpy.app.timers.register(_look, first_interval=PAUSE, persistent=True)


def _note_drawing(kind: str) -> None:
    drawn[kind].append(time.monotonic())


def _count_ours(frame: FrameType, event: str, argument: object) -> None:
    """Python calls it at each call and return in the main thread. The time that it takes itself is counted as ours."""
    global _ours, _outermost
    if _outermost is None:
        if event == "call" and OURS in frame.f_code.co_filename:
            _outermost = frame, time.thread_time()
    elif event == "return" and frame is _outermost[0]:
        _ours += time.thread_time() - _outermost[1]
        _outermost = None


def _sample() -> None:
    main = threading.main_thread().ident
    while True:
        time.sleep(PAUSE)
        frame = sys._current_frames().get(main)
        while frame is not None and OURS not in frame.f_code.co_filename:
            frame = frame.f_back
        where = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}" if frame else "Blender"
        _seen.append((time.monotonic(), where))


def _look() -> float:
    global _worst, _last
    now = Seconds.now()
    gap = now.since(_last)
    _gaps.append(gap)
    if gap.main > _worst[0]:
        _worst = gap.main, seen_since(_last.clock)
    _last = now
    return PAUSE


def seen_since(since: float) -> str:
    """Where the main thread was seen most often, and how often."""
    places = Counter(where for at, where in list(_seen) if at > since)
    return f"(seen in: {', '.join(f'{where} {count}' for where, count in places.most_common(6))})"


def first_drawing(since: float) -> float:
    """Seconds from `since` to the sidebar's next drawing; below 0: there was none yet."""
    return next((at - since for at in drawn["UI"] if at > since), -1.0)


def press(text: str) -> hand.Steps:
    """As hand.press_action; prints how long it takes to the first sign of life."""
    (x, y) = hand.seen(text, hand.sidebar())[0]
    yield from hand.move(x, y)
    yield hand.moment(1.0)  # the button is lit by now, which is a drawing too
    hand.xdotool("mousedown", 1)
    yield hand.moment(0.1)
    before, released = Seconds.now(), []
    program = subprocess.Popen(["xdotool", "mouseup", "1"])  # Blender's loop goes on meanwhile
    threading.Thread(target=lambda: released.append((program.wait(), time.monotonic())), daemon=True).start()
    yield lambda: first_drawing(before.clock) > 0 and bool(released)
    spent = Seconds.now().since(before)
    most = first_drawing(before.clock)
    least = max(0.0, most - (released[0][1] - before.clock))
    words = f"{least:.3f} to {most:.3f} s, until then at most {spent.in_words()}"
    print(f"MEASURED {text}: first sign of life after {words} {seen_since(before.clock)}", flush=True)


def until(what: str, condition: Callable[[], bool]) -> hand.Steps:
    """Wait for it, and print how long that and the longest stall were."""
    since = time.monotonic()
    forget_stalls()
    yield condition
    print(f"MEASURED {what}: {time.monotonic() - since:.2f} s, {longest_stall()}", flush=True)


def forget_stalls() -> None:
    global _worst
    _gaps.clear()
    _worst = 0.0, ""


def longest_stall() -> str:
    """Of those since they were forgotten, in words; each number is the largest of any."""
    stall = Seconds(*map(max, zip(*_gaps, strict=True)))
    return f"longest stall {stall.clock:.3f} s, of one at most {stall.in_words()} {_worst[1]}"


def previewed() -> int:
    found = hand.part("viewer.previews").preview_of(hand.clip().name, 1)
    return found.made if found else 0


def shown() -> int:
    return hand.editors()[0].spaces.active.clip_user.frame_current


def scrub(what: str) -> hand.Steps:
    """From frame to frame by its key, each as soon as the one before is drawn."""
    frames = min(SCRUBBED, hand.clip().frame_duration - 1)
    for key in ("Right", "Left"):  # the second time all is in Blender's cache
        yield hand.moment(1.0)  # the drawing before is no stall of this
        forget_stalls()
        before = Seconds.now()
        for _ in range(frames):
            frame, count = shown(), len(drawn["WINDOW"])
            subprocess.Popen(["xdotool", "key", key])
            yield lambda frame=frame, count=count: shown() != frame and len(drawn["WINDOW"]) > count
        a_frame = Seconds(*(value / frames for value in Seconds.now().since(before)))
        words = f"{1 / a_frame.clock:.1f} frames a second, a frame {a_frame.in_words()}; {longest_stall()}"
        print(f"MEASURED {what}, {key}: {words}", flush=True)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    watch()
    yield from hand.move(*over_the_clip())
    yield from scrub("scrubbing without mattes")
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from press("Preview")
    yield from until("cold preview", lambda: previewed() > 0)
    yield hand.moment(1.0)
    before = previewed()
    yield from press("Preview")
    yield from until("warm preview", lambda: previewed() > before)
    yield hand.moment(1.0)
    yield from press("Track")
    yield lambda: hand.run() is not None
    yield from until("tracking", hand.idle)
    assert hand.run().error is None, hand.run().error
    yield hand.moment(1.0)
    yield from hand.move(*over_the_clip())
    yield from scrub("scrubbing with mattes")
    yield from press("Export")
    yield lambda: hand.run().verb == "export"
    yield from until("exporting", hand.idle)
    assert hand.run().error is None, hand.run().error


def over_the_clip() -> tuple[int, int]:
    left, top, _, bottom = hand.plate()
    return left + 30, (top + bottom) // 2


hand.tell(story())
