"""AVX-512, AVX-VNNI and AMX: their sources with other instructions, and what is made of them.

SIMDe writes the vectors with AVX2; tiles are plain C++ (cpp/vnni/tiles.hpp).
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import loquent
from loquent.native import cpu_features

TESTS = Path(__file__).parent / "cpp"
NATIVE = Path(loquent.__file__).parent / "native"
SOURCES = NATIVE / "src"
SETS = ("avx2", "avxvnni", "avx512", "amx")
TILES = {"ldtilecfg", "tilerelease", "tileloadd", "tilestored", "tilezero", "tdpbssd", "tdpbf16ps"}
# GCC 12 breaks off at SIMDe's vectors where it takes structures apart.
FLAGS = (
    *("-std=c++20", "-O1", "-ffp-contract=off", "-fno-tree-sra", "-Wno-psabi"),
    *("-mavx2", "-mfma", "-mf16c", "-DLOQUENT_X86", f"-I{SOURCES}", f"-I{TESTS}"),
)
# Of the sources with tiles: what stands there, and what would be wrong.
TILED = ("kernels_amx.cpp", "attention_amx.hpp", "tiles_amx.hpp")
PLANTED = {
    "a tile is not emptied": ("_tile_zero(0);", ""),
    "other rows of weights": ("part.row * 4, kStep", "part.row * 2, kStep"),
    "a tile is left out": ("tile < cut.tiles; ++tile)", "tile + 1 < cut.tiles; ++tile)"),
    "tokens behind the last": ("tile * rows : tokens - rows", "tile * rows : tile * rows"),
    "tokens of two tiles are added twice": ("if (t >= known) put", "put"),
    "another token's scale": ("record += stride;", ""),
    "no upper halves of bytes": ("_mm512_srli_epi16(bytes, 4)", "bytes"),
    "columns of the other half": ("part.codes(0) + half * kInt4Group", "part.codes(0)"),
    "minima of the other half": ("part.totals(0) + half", "part.totals(0)"),
    "sums of the group before": ("sums[(i - 1) % 2], y", "sums[i % 2], y"),
    "tiles of another height": ("made.set(tile, row_bytes / 4,", "made.set(tile, 16,"),
    "parts of 16 bits are the same": ("rest = rest - ", "rest = Lanes::set(0.0f) + rest; (void)"),
    "weights of the other columns": ("dpbf16ps(tile, from, 5)", "dpbf16ps(tile, from, 4)"),
    "sums are begun anew": ("EACH_TILE(LOAD)", "EACH_TILE(LOAD) _tile_zero(0);"),
    "tiles are kept": ("_tile_release();", ""),
    "tiles are not used": ("kFewest = 8", "kFewest = 80"),
    "keys of another position": ("(p.keys) + 2 * p.slot", "(p.keys) + p.slot"),
    "values of another position": ("2 * p.width + p.slot % 2", "2 * p.width"),
    "the rest of a head is left out": ("_tile_dpbf16ps(tile, 7, 5);", ";"),
    "keys that a query does not see": ("left < count ? left : count, total", "count, total"),
    "what was gathered is not corrected": ("if (keep != 1.0f)", "if (keep > 1.0f)"),
    "no numbers where nothing was written": ("there == 0 ? 0 :", "there == 0 ? -1 :"),
    "a bias of other keys": ("a_.bias[q] + first + i", "a_.bias[q] + i"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SOURCES / "isa.cpp").exists(), reason="needs the runtime's sources"),
    pytest.mark.skipif("avx2" not in cpu_features(), reason="needs a processor with AVX2"),
]


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("g++") or shutil.which("c++")
    if not found:
        pytest.skip("needs a C++ compiler")
    return found


@pytest.fixture(scope="module")
def emulated(compiler, tmp_path_factory) -> list[Path]:
    """The object files of a program that tests all sets."""
    probe = [compiler, "-E", "-x", "c++", "-include", "simde/x86/avx512.h", "/dev/null"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("needs the headers of SIMDe (libsimde-dev)")
    files = [*sorted((TESTS / "vnni").glob("*.cpp"))]
    files += [SOURCES / f"{name}.cpp" for name in ("kernels_scalar", "kernels_avx2", "self_check")]
    folder = tmp_path_factory.mktemp("emulated")
    objects = [folder / f"{file.stem}.o" for file in files]
    running = [
        subprocess.Popen([compiler, *FLAGS, "-c", file, "-o", made], stderr=subprocess.PIPE)
        for file, made in zip(files, objects, strict=True)
    ]
    for each in running:
        _, errors = each.communicate()
        assert each.returncode == 0, errors[-4000:]
    return objects


def test_sources_give_what_scalar_gives(compiler, emulated, tmp_path):
    """Products equal bit for bit where sums are floats exactly, all else close."""
    run(compiler, *emulated, "-o", tmp_path / "vnni_test")
    found = re.findall(r"(\w+): (\d+) products, (\d+) others", run(tmp_path / "vnni_test"))
    assert [name for name, *_ in found] == ["avx512", "avxvnni", "amx"]
    assert all(int(products) > 2000 and int(others) > 800 for _, products, others in found)


@pytest.mark.parametrize("mistake", PLANTED)
def test_mistakes_with_tiles_are_found(mistake, compiler, emulated, tmp_path):
    right, wrong = PLANTED[mistake]
    sources = {name: (SOURCES / name).read_text(encoding="utf-8") for name in TILED}
    assert any(right in source for source in sources.values())
    for name, source in sources.items():
        (tmp_path / name).write_text(source.replace(right, wrong), encoding="utf-8")
    own = tmp_path / "own.o"
    run(compiler, f"-I{tmp_path}", *FLAGS, "-c", TESTS / "vnni" / "amx.cpp", "-o", own)
    others = [each for each in emulated if each.stem != "amx"]
    run(compiler, *others, own, "-o", tmp_path / "vnni_test")
    command = [tmp_path / "vnni_test", "amx"]
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


@pytest.fixture(scope="module", params=["Debug", "Release"])
def objects(request, tmp_path_factory) -> dict[str, Path]:
    """The object file of each set that the compiler knows, as the package is built."""
    if not all(map(shutil.which, ("cmake", "make", "nm", "objdump"))):
        pytest.skip("needs cmake, make, nm and objdump")
    build = tmp_path_factory.mktemp(request.param)
    options = [f"-DCMAKE_BUILD_TYPE={request.param}", "-DLOQUENT_NATIVE_TEST=ON"]
    run("cmake", "-G", "Unix Makefiles", "-S", NATIVE, "-B", build, *options)
    made = {}
    for name in (*SETS, "scalar"):
        known = f"src/kernels_{name}.o" in run("make", "-C", build, "help")
        if known:
            run("make", "-C", build, f"src/kernels_{name}.o")
            made[name] = build / "CMakeFiles/native_test.dir/src" / f"kernels_{name}.cpp.o"
    return made


def test_nothing_of_a_set_can_serve_another(objects):
    """A function that the linker may merge would run where its instructions are not known."""
    for name in SETS:
        if name not in objects:
            continue
        symbols = re.findall(r"^[0-9a-f]+ ([A-Za-z]) (.*)$", run("nm", objects[name]), re.MULTILINE)
        shared = [symbol for kind, symbol in symbols if kind not in "tTrRbBdDV"]
        assert not shared, name
        offered = [symbol for kind, symbol in symbols if kind == "T"]
        assert len(offered) == 1 and f"{name}_kernels" in offered[0]


def test_instructions_are_those_of_the_set(objects):
    for name, path in objects.items():
        lines = run("objdump", "-d", "--no-show-raw-insn", path).splitlines()
        dots = [line for line in lines if "vpdpbusd" in line]
        wide = [line for line in lines if re.search(r"zmm|[xyz]mm(1[6-9]|2\d|3[01])|%k[0-7]", line)]
        ymm = [line for line in lines if "%ymm" in line]
        tiles = set(re.findall(r"\s(ldtilecfg|tile\w+|tdp\w+)", "\n".join(lines)))
        assert tiles == (TILES if name == "amx" else set()), name
        assert bool(dots) == (name in ("avxvnni", "avx512")), name
        if name in ("avx512", "amx"):
            assert wide and all("zmm" in line for line in dots), name
        else:
            assert not wide, name
            assert all("{vex}" in line for line in dots), name
            assert bool(ymm) == (name != "scalar")


def test_tiles_are_where_the_processor_says():
    """No other set is offered: the system's own list has the same names."""
    system = Path("/proc/cpuinfo")
    if not system.exists():
        pytest.skip("needs Linux's list of the processor's features")
    flags = set(system.read_text(encoding="utf-8", errors="replace").split())
    own = {each.replace("-", "_") for each in cpu_features() if each.startswith("amx")}
    assert own in (set(), {"amx_tile", "amx_int8", "amx_bf16"} & flags)
