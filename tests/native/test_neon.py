"""The NEON instruction sets, built for AArch64 and executed by an emulator (CONTRIBUTING.md)."""

import shutil
import subprocess
from pathlib import Path

import pytest

import loquent

SOURCE = Path(loquent.__file__).parent / "native"
COMPILER = "aarch64-linux-gnu-g++"
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
# What each processor has; the second one would stop at an instruction that is newer than it.
PROCESSORS = {"max": ["neon_dot", "neon"], "cortex-a53": ["neon"]}


@pytest.mark.slow
def test_neon_gives_what_scalar_gives(tmp_path):
    emulator = next(filter(None, map(shutil.which, EMULATORS)), None)
    tools = {"cmake": shutil.which("cmake"), COMPILER: shutil.which(COMPILER), "qemu": emulator}
    missing = [name for name, path in tools.items() if not path]
    if missing or not (SOURCE / "CMakeLists.txt").exists():
        pytest.skip(f"needs the sources of the native runtime and {', '.join(missing)}")
    build = tmp_path / "build"
    configure = [
        *("cmake", "-S", SOURCE, "-B", build, "-DLOQUENT_NATIVE_TEST=ON"),
        *("-DCMAKE_CXX_FLAGS_RELEASE=-O2", "-DCMAKE_SYSTEM_NAME=Linux"),
        *("-DCMAKE_SYSTEM_PROCESSOR=aarch64", f"-DCMAKE_CXX_COMPILER={COMPILER}"),
        "-DCMAKE_EXE_LINKER_FLAGS=-static",
    ]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build, "-j", "2"], check=True, capture_output=True)
    running = {}
    for processor in PROCESSORS:
        (tmp_path / processor).mkdir()
        command = [emulator, "-cpu", processor, build / "native_test", tmp_path / processor]
        running[processor] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    for processor, expected in PROCESSORS.items():
        output, errors = running[processor].communicate()
        assert running[processor].returncode == 0, errors[-4000:]
        *compared, end = output.splitlines()
        assert [line.split(":")[0] for line in compared] == expected
        assert end == "all passed"
