"""NumPy's products on one thread: within, and only within, however many are inside."""

import threading

import numpy as np
import pytest

from loquent import blas
from loquent.blas import one_thread


@pytest.fixture
def library():
    found = blas._library()
    if found is None:
        pytest.skip("NumPy has another library here")
    before = found.threads()
    found.set_threads(2)
    yield found
    found.set_threads(before)


def test_one_thread_until_the_last_one_leaves(library) -> None:
    assert library.threads() == 2
    with one_thread():
        assert library.threads() == 1
        with one_thread():
            assert library.threads() == 1
        assert library.threads() == 1
    assert library.threads() == 2
    with pytest.raises(ValueError, match="x"), one_thread():
        raise ValueError("x")
    assert library.threads() == 2


def test_it_holds_for_all_threads(library) -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    assert library.threads() == 1
    with one_thread():
        leave.set()
        thread.join()
        assert library.threads() == 1
    assert library.threads() == 2


def test_results_are_the_same() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 300, 300))
    with one_thread():
        made = a @ b
    np.testing.assert_allclose(made, a @ b, rtol=1e-12, atol=1e-12)


def test_without_the_library_they_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_library", lambda: None)
    assert blas.at_work() == 0
    with one_thread():
        assert blas.at_work() == 1
    assert blas.at_work() == 0
