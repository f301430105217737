"""Which build of torch a machine gets, row by row, and the table of it in docs/dependencies.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from addon.contract.errors import EngineError
from addon.installer.machine import _amd_gpus, _read_smi
from addon.installer.torch_build import (
    ANY,
    APPLE,
    BLACKWELL_CUDA,
    CHOICES,
    CPU,
    CUDA,
    OLD_CUDA,
    PYPI_CPU,
    PYPI_CUDA,
    ROCM,
    Build,
    Gpu,
    Machine,
    OtherBuildError,
    choose,
    refuse_other,
    settle,
)
from addon.runtime.watch import megabytes

DOCS = Path(__file__).parents[2] / "docs" / "dependencies.md"
BEGIN, END = "<!-- written by tests/unit/test_torch_builds.py -->\n", "<!-- end -->\n"

PASCAL = Gpu("GTX 1080 Ti", (6, 1))
VOLTA = Gpu("Titan V", (7, 0))
TURING = Gpu("RTX 2080", (7, 5))
AMPERE = Gpu("RTX 3090", (8, 6))
ADA = Gpu("RTX 4090", (8, 9))
BLACKWELL = Gpu("RTX 5090", (12, 0))
MAXWELL = Gpu("GTX 980", (5, 2))
KEPLER = Gpu("GTX 780", (3, 5))

SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}


def nvidia(platform: str, driver: tuple[int, ...], *gpus: Gpu) -> Machine:
    return Machine(platform, nvidia=True, driver=driver, gpus=gpus)


@dataclass(frozen=True)
class Row:
    """build: what is installed; None: nothing. asked: whether the person is asked before. out: unreachable indexes."""

    machine: Machine
    build: Build | None
    out: tuple[str, ...] = ()
    asked: bool = False
    python: tuple[int, int] = (3, 11)
    note: str = ""
    chosen: str = "auto"

    @property
    def words(self) -> str:
        """The machine's column."""
        system = f"{SYSTEMS[self.machine.platform]} {'.'.join(map(str, self.machine.system))}".strip()
        system += {"arm64": " on Arm" if self.machine.platform != "darwin" else ", Apple processor"}.get(
            self.machine.processor, ", Intel processor" if self.machine.platform == "darwin" else ""
        )
        driver = ".".join(map(str, self.machine.driver)) or "of unknown version"
        gpus = [f"{gpu.name} ({'.'.join(map(str, gpu.capability)) or '?'})" for gpu in self.machine.gpus]
        parts = [system, *gpus]
        parts += [f"driver {driver}"] if self.machine.nvidia else []
        parts += [f"AMD {chip}" for chip in self.machine.amd]
        return ", ".join([*parts, f"PyTorch Build: {self.chosen}"] if self.chosen != "auto" else parts)


L, W, M = "linux", "win32", "darwin"
ROWS = (
    Row(Machine(L), CPU),
    Row(Machine(W), CPU),
    Row(Machine(M, "arm64", (15, 1)), APPLE),
    Row(nvidia(L, (580, 95, 5), ADA), PYPI_CUDA),
    Row(nvidia(W, (581, 80), ADA), CUDA),
    Row(nvidia(W, (581, 80), ADA), CUDA, python=(3, 13)),
    Row(nvidia(L, (580, 95, 5), BLACKWELL), PYPI_CUDA),
    Row(nvidia(W, (581, 80), BLACKWELL), CUDA),
    Row(nvidia(L, (570, 86), BLACKWELL), BLACKWELL_CUDA),
    Row(nvidia(W, (572, 16), BLACKWELL), CPU, note="RTX 5090: needs driver 580"),
    Row(nvidia(L, (580, 95, 5), TURING), PYPI_CUDA),
    Row(nvidia(W, (581, 80), TURING), CUDA),
    Row(nvidia(L, (535, 54), TURING), OLD_CUDA),
    Row(nvidia(L, (570, 86), AMPERE), OLD_CUDA),
    Row(nvidia(W, (551, 23), ADA), OLD_CUDA),
    Row(nvidia(L, (525, 60, 13), AMPERE), OLD_CUDA),
    Row(nvidia(W, (528, 33), AMPERE), OLD_CUDA),
    Row(nvidia(L, (525, 53), AMPERE), CPU, note="too old for any CUDA build"),
    Row(nvidia(L, (470, 82), AMPERE), CPU, note="too old for any CUDA build"),
    Row(nvidia(L, (580, 95, 5), PASCAL), OLD_CUDA),
    Row(nvidia(W, (581, 80), PASCAL), OLD_CUDA),
    Row(nvidia(L, (580, 95, 5), VOLTA), OLD_CUDA),
    Row(nvidia(L, (535, 54), MAXWELL), OLD_CUDA),
    Row(nvidia(L, (535, 54), KEPLER), CPU, note="GTX 780: too old for PyTorch"),
    Row(nvidia(L, (580, 95, 5), ADA, PASCAL), OLD_CUDA),
    Row(nvidia(W, (581, 80), PASCAL, AMPERE), OLD_CUDA),
    Row(nvidia(L, (580, 95, 5), BLACKWELL, PASCAL), PYPI_CUDA, note="GTX 1080 Ti: too old for this build"),
    Row(nvidia(W, (581, 80), BLACKWELL, PASCAL, PASCAL), CUDA, note="GTX 1080 Ti: too old for this build"),
    Row(nvidia(L, (570, 86), BLACKWELL, ADA), BLACKWELL_CUDA),
    Row(nvidia(W, (572, 16), BLACKWELL, ADA), OLD_CUDA, note="RTX 5090: needs driver 580"),
    Row(nvidia(L, (), ADA), PYPI_CUDA),
    Row(nvidia(L, ()), PYPI_CUDA),
    Row(nvidia(L, (550, 54), Gpu("GRID")), OLD_CUDA),
    Row(Machine(L, amd=("gfx1100",)), ROCM),
    Row(Machine(L, amd=("gfx1036",)), CPU, note="nothing for this AMD GPU"),
    Row(Machine(L, amd=("gfx1036", "gfx1201")), ROCM),
    Row(Machine(L, amd=("gfx90c",)), CPU, note="nothing for this AMD GPU"),
    Row(Machine(W, amd=("gfx1100",)), CPU),
    Row(Machine(L, nvidia=True, driver=(470, 82), gpus=(AMPERE,), amd=("gfx1100",)), ROCM, note="too old"),
    Row(Machine(L, "arm64"), CPU),
    Row(Machine(W, "arm64"), None, note="Windows on ARM"),
    Row(Machine(M, "x86_64", (13, 6)), None, note="Intel"),
    Row(Machine(M, "arm64", (13, 6)), None, note="needs macOS 14"),
    Row(Machine(L), None, python=(3, 15), note="not published for Python 3.15"),
    Row(Machine(W), None, python=(3, 10), note="not published for Python 3.10"),
    Row(Machine(L), PYPI_CUDA, ("cpu",), asked=True),
    Row(Machine(W), PYPI_CPU, ("cpu",)),
    Row(nvidia(W, (581, 80), ADA), CPU, ("cu130",), asked=True),
    Row(nvidia(W, (581, 80), ADA), PYPI_CPU, ("cu130", "cpu"), asked=True),
    Row(nvidia(L, (580, 95, 5), ADA), CUDA, ("",)),
    Row(nvidia(L, (570, 86), BLACKWELL), CPU, ("cu129",), asked=True),
    Row(nvidia(L, (580, 95, 5), PASCAL), CPU, ("cu126",), asked=True),
    Row(Machine(L, amd=("gfx1100",)), CPU, ("rocm7.2",), asked=True),
    Row(Machine(M, "arm64", (15, 1)), None, ("",), note="is not available"),
    Row(Machine(L), None, ("cpu", ""), note="is not available"),
    Row(nvidia(L, (580, 95, 5), ADA), CPU, chosen="cpu"),
    Row(nvidia(W, (572, 16), BLACKWELL), CUDA, chosen="cu130"),
    Row(nvidia(W, (581, 80), ADA), None, ("cu126",), chosen="cu126", note="is not available"),
    Row(Machine(W), None, chosen="rocm7.2", note="not published for this system"),
    Row(Machine(M, "arm64", (15, 1)), APPLE, chosen="cpu"),
)


@dataclass(frozen=True)
class Outcome:
    """What really happens: the build, what is asked, the note or the reason of a refusal."""

    build: Build | None
    question: str = ""
    note: str = ""


def outcome(row: Row, agreed: str = "") -> Outcome:
    try:
        choice = choose(row.machine, row.chosen, row.python)
        build = settle(choice, lambda build: build.local not in row.out)
    except EngineError as error:
        return Outcome(None, note=f"{error.message} {error.hint}".strip())
    try:
        refuse_other(row.machine, choice.builds[0], build, build.download(row.machine.platform), agreed)
    except OtherBuildError as question:
        assert question.build is build
        return Outcome(build, question.message, choice.note)
    return Outcome(build, note=choice.note)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.words} {row.out} {row.python}")
def test_what_a_machine_gets(row: Row) -> None:
    found = outcome(row)
    assert found.build is row.build
    assert bool(found.question) is row.asked
    assert row.note in found.note
    assert bool(row.note) is bool(found.note), found.note
    if row.asked:
        assert not outcome(row, row.build.name if row.build else "").question
        assert not outcome(row, ANY).question
        assert outcome(row, "another").question


def test_more_than_announced_is_asked_about() -> None:
    """A registry of one's own may have other files than the default one."""
    machine = Machine("linux")
    refuse_other(machine, CPU, CPU, CPU.download("linux"))
    with pytest.raises(OtherBuildError, match="More would be downloaded") as caught:
        refuse_other(machine, CPU, CPU, 2_600_000_000)
    assert "2,600 MB in all and not 412 MB" in caught.value.message
    refuse_other(machine, CPU, CPU, 2_600_000_000, agreed="cpu")


def test_every_build_is_for_some_system() -> None:
    for build in (*CHOICES.values(), APPLE, PYPI_CUDA, PYPI_CPU):
        for platform in build.torch:
            assert build.download(platform) > build.torch[platform]
            assert build.disk(platform) > build.download(platform)


def test_what_nvidias_tool_says() -> None:
    said = "580.95.05, 8.9, NVIDIA GeForce RTX 4090\n580.95.05, 6.1, NVIDIA GeForce GTX 1080\n"
    gpus = (Gpu("NVIDIA GeForce RTX 4090", (8, 9)), Gpu("NVIDIA GeForce GTX 1080", (6, 1)))
    assert _read_smi(said) == ((580, 95, 5), gpus)
    assert _read_smi("581.80, [N/A], NVIDIA X") == ((581, 80), (Gpu("NVIDIA X"),))
    assert _read_smi("NVIDIA-SMI has failed") == ((), ())
    assert _read_smi("") == ((), ())


def test_which_amd_gpus_the_kernel_driver_lists(tmp_path: Path) -> None:
    for node, number in enumerate((0, 100300, 110003, 90012, 90010)):
        (tmp_path / str(node)).mkdir()
        text = f"cpu_cores_count 0\ngfx_target_version {number}\nvendor_id 4098\n"
        (tmp_path / str(node) / "properties").write_text(text, encoding="ascii")
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "properties").write_text("gfx_target_version", encoding="ascii")
    assert _amd_gpus(tmp_path) == ("gfx1030", "gfx1103", "gfx90c", "gfx90a")
    assert _amd_gpus(tmp_path / "nothing") == ()


# --- the table


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def table() -> str:
    text = line("machine", "Python", "out of reach", "build", "download", "from", "asked before, or said")
    text += "|---|---|---|---|---|---|---|\n"
    for row in ROWS:
        found = outcome(row)
        build = found.build
        out = ", ".join(name or "the default registry" for name in row.out)
        said = f"**Asked:** {found.question}" if found.question else found.note
        cells = ("none", "", "")
        if build is not None:
            cells = (build.words, megabytes(build.download(row.machine.platform)), build.local or "default registry")
        text += line(row.words, ".".join(map(str, row.python)), out, *cells, said)
    return text


def test_the_table_in_the_docs() -> None:
    """It is written here: what differs is mended, and stays a failure until somebody has looked at it."""
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    expected = table()
    if written != expected:
        DOCS.write_text(f"{before}{BEGIN}{expected}{END}{after}", encoding="utf-8", newline="\n")
    assert written == expected, "docs/dependencies.md is written anew: look at its difference"
