"""The worker: order, refusal instead of loss, survival, a clean end."""

from __future__ import annotations

import threading

from hoigen.ros.worker import Worker

DEADLINE_S = 600.0


def fail(error: Exception) -> None:
    raise AssertionError(f'unexpected {error!r}')


def test_items_are_handled_in_order_and_a_full_queue_refuses() -> None:
    """Nothing is dropped in silence: put says no when ``limit`` items wait, and takes again when one is done."""
    handled: list[int] = []
    begun, go, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def process(item: int) -> None:
        begun.set()
        assert go.wait(DEADLINE_S)
        handled.append(item)
        done.release()

    worker = Worker('test-worker', process, fail, limit=2)
    assert worker.put(0)
    assert begun.wait(DEADLINE_S)
    assert [worker.put(item) for item in (1, 2, 3)] == [True, True, False]
    assert worker.put(10, alike=lambda waiting: waiting >= 10), 'a limit of its own for its kind'
    assert worker.queued == 3
    go.set()
    assert all(done.acquire(timeout=DEADLINE_S) for _ in range(4))
    assert worker.put(4)
    assert done.acquire(timeout=DEADLINE_S)
    worker.close()
    assert handled == [0, 1, 2, 10, 4]


def test_the_newest_item_wins_where_it_is_told_so() -> None:
    """A full queue gives its oldest item back, which is never handled."""
    handled: list[int] = []
    begun, go, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def process(item: int) -> None:
        begun.set()
        assert go.wait(DEADLINE_S)
        handled.append(item)
        done.release()

    worker = Worker('test-worker', process, fail, limit=1)
    worker.put_newest(0)
    assert begun.wait(DEADLINE_S)
    assert [worker.put_newest(item) for item in (1, 2, 3)] == [None, 1, 2]
    go.set()
    assert all(done.acquire(timeout=DEADLINE_S) for _ in range(2))
    worker.close()
    assert handled == [0, 3]


def test_one_bad_item_is_reported_and_the_next_is_handled() -> None:
    """An exception reaches on_error, on the worker's thread, and does not end it."""
    errors: list[Exception] = []
    done = threading.Event()

    def process(item: int) -> None:
        if item == 0:
            raise ValueError('bad item')
        done.set()

    worker = Worker('test-worker', process, errors.append, limit=2)
    worker.put(0)
    worker.put(1)
    assert done.wait(DEADLINE_S)
    worker.close()
    assert [str(error) for error in errors] == ['bad item']


def test_close_ends_the_thread_and_gives_back_what_was_never_begun() -> None:
    """A long item sees ``stopping``; the items behind it are the caller's to answer for."""
    begun = threading.Event()

    def process(item: int) -> None:
        begun.set()
        assert worker.stopping.wait(DEADLINE_S)

    worker = Worker('test-worker', process, fail, limit=5)
    for item in range(3):
        worker.put(item)
    assert begun.wait(DEADLINE_S)
    assert worker.close() == [1, 2]
    assert 'test-worker' not in [thread.name for thread in threading.enumerate()]
