"""Signals that make a run stop."""

import signal
import threading

import pytest

from solvers.cycles.stopping import stop_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_is_caught_and_no_longer_afterwards(number):
    before = signal.getsignal(number)
    with stop_signals() as stop:
        assert stop == []
        signal.raise_signal(number)
        assert stop == [number]
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_a_run_is_left_alone():
    seen = []

    def work():
        with stop_signals() as stop:
            seen.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [[]]
