"""What tests of training share: trainings in processes of their own, made to fail."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="session")
def bench():
    """A program of bench/ as a module, by its name."""

    def load(name: str) -> ModuleType:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # so that one program finds the other
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load


@pytest.fixture(scope="session")
def store(bench, tmp_path_factory) -> Path:
    """A store of sixty small examples."""
    return bench("trials").store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="session")
def trials(bench, tmp_path_factory):
    """Children that train, forked from a process that has torch; faults can be planted in them."""
    with bench("trials").Trials(tmp_path_factory.mktemp("trials")) as started:
        yield started
