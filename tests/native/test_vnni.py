"""AVX-512 and AVX-VNNI: their sources by way of SIMDe, and what the compiler makes of them."""

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
SETS = ("avx2", "avxvnni", "avx512")
# GCC 12 breaks off at SIMDe's vectors where it takes structures apart.
FLAGS = (
    *("-std=c++20", "-O1", "-ffp-contract=off", "-fno-tree-sra", "-Wno-psabi"),
    *("-mavx2", "-mfma", "-mf16c", "-DLOQUENT_X86", f"-I{SOURCES}", f"-I{TESTS}"),
)

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


def test_sources_give_what_scalar_gives(compiler, tmp_path):
    """Products equal bit for bit where sums are floats exactly, all else close."""
    probe = [compiler, "-E", "-x", "c++", "-include", "simde/x86/avx512.h", "/dev/null"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("needs the headers of SIMDe (libsimde-dev)")
    files = [*sorted((TESTS / "vnni").glob("*.cpp"))]
    files += [SOURCES / "kernels_scalar.cpp", SOURCES / "kernels_avx2.cpp"]
    objects = [tmp_path / f"{file.stem}.o" for file in files]
    running = [
        subprocess.Popen([compiler, *FLAGS, "-c", file, "-o", made], stderr=subprocess.PIPE)
        for file, made in zip(files, objects, strict=True)
    ]
    for each in running:
        _, errors = each.communicate()
        assert each.returncode == 0, errors[-4000:]
    run(compiler, *objects, "-o", tmp_path / "vnni_test")
    found = re.findall(r"(\w+): (\d+) products, (\d+) others", run(tmp_path / "vnni_test"))
    assert [name for name, *_ in found] == ["avx512", "avxvnni"]
    assert all(int(products) > 1800 and int(others) > 800 for _, products, others in found)


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
        if name == "avx512":
            assert dots and all("zmm" in line for line in dots)
        else:
            assert not wide, name
            assert bool(dots) == (name == "avxvnni")
            assert all("{vex}" in line for line in dots), name
            assert bool(ymm) == (name != "scalar")
