"""Signals are noted, not obeyed, and former handlers come back."""

import os
import signal

import pytest

from core.supervision.stop_request import StopRequest, StopRequestedError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_a_request(number: signal.Signals):
    former = signal.getsignal(number)
    with StopRequest() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.is_made
        with pytest.raises(StopRequestedError):
            stop.check()
    assert signal.getsignal(number) == former
