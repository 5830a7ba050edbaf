"""The C++ by itself, under the sanitizers of addresses, undefined behavior and threads."""

import shutil
import subprocess
from pathlib import Path

import pytest

import loquent

ROOT = Path(__file__).parents[2]
SOURCE = Path(loquent.__file__).parent / "native"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(kind, tmp_path):
    if not shutil.which("cmake") or not (SOURCE / "CMakeLists.txt").exists():
        pytest.skip("needs cmake and the sources of the native runtime")
    subprocess.run(
        [
            *("cmake", "-S", SOURCE, "-B", tmp_path / "build"),
            *("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DLOQUENT_NATIVE_TEST=ON"),
            f"-DLOQUENT_SANITIZE={kind}",
        ],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["cmake", "--build", tmp_path / "build", "-j", "2"], check=True, capture_output=True
    )
    done = subprocess.run(
        [tmp_path / "build" / "native_test", tmp_path], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith("all passed\n")
