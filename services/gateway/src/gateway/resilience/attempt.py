"""One try of a request: what it holds until its answer has ended, and what its end says about the service."""

import time
from typing import TYPE_CHECKING, Final

from gateway.resilience.breaker import Breaker, Outcome
from gateway.resilience.refusals import BreakerOpen
from shared.exchange import current
from shared.pool import ConnectFailed, ConnectionLost, PoolError, ProtocolViolation, ReadTimeout, Response
from shared.shedding import SHED

if TYPE_CHECKING:
    from gateway.resilience.calls import Lane

NOT_IMPLEMENTED: Final = 501


class Attempt:
    """Holds a place in the lane's bulkhead, which it is given, and a ticket of the breaker; gives both back exactly once.

    Making one raises BreakerOpen, and gives the place back.
    """

    __slots__ = ("_alone", "_began", "_breaker", "_lane", "_settled", "_ticket")

    def __init__(self, lane: "Lane", breaker: Breaker) -> None:
        try:
            self._ticket = breaker.admit(probe=lane.probes)
        except BreakerOpen:
            lane.leave(breaker)
            raise
        self._lane = lane
        self._alone = lane.limit.busy <= 1
        self._breaker = breaker
        self._settled = False
        self._began = time.monotonic()

    def failed(self, error: BaseException) -> None:
        """There is no answer."""
        self._settle(self._outcome_of(error))
        self._lane.leave(self._breaker)

    def follow(self, response: Response) -> None:
        """The head of the answer is here, the rest may still come. A failing status decides, and of what may last for minutes any."""
        status = response.status
        if status >= 500 and status != NOT_IMPLEMENTED:
            if SHED in response.headers:  # the service is well, and says that it has enough to do
                self._lane.calls.retries.failed()
                self._settle(Outcome.NOTHING)
                if self._breaker is self._lane.calls.reads:
                    self._lane.limit.crowded()
            else:
                self._settle(Outcome.FAILURE)
        elif not self._lane.probes:
            self._settle(Outcome.SUCCESS)
        elif self._breaker is self._lane.calls.reads and (exchange := current.get()) is not None:
            self._lane.limit.answered(exchange.operation, time.monotonic() - self._began, self._alone)
        if response.ended:
            self._end(None)
        else:
            response.when_ended(self._end)

    def _end(self, error: PoolError | None) -> None:
        if not self._settled:
            self._settle(Outcome.SUCCESS if error is None else self._outcome_of(error))
        self._lane.leave(self._breaker)

    def _settle(self, outcome: Outcome) -> None:
        self._settled = True
        self._breaker.settle(self._ticket, outcome)
        if outcome is Outcome.SUCCESS:
            self._lane.calls.retries.succeeded()
        elif outcome is not Outcome.NOTHING:
            self._lane.calls.retries.failed()

    def _outcome_of(self, error: BaseException) -> Outcome:
        """A caller who goes away, our own limits and the keep-alive race say nothing about the service."""
        if isinstance(error, ConnectFailed):
            return Outcome.NO_CONNECTION
        if isinstance(error, ReadTimeout):
            waited = time.monotonic() - self._began
            return Outcome.FAILURE if error.theirs and waited >= self._lane.calls.respected else Outcome.NOTHING
        if isinstance(error, ConnectionLost):
            return Outcome.FAILURE if error.sent and not error.stale else Outcome.NOTHING
        return Outcome.FAILURE if isinstance(error, ProtocolViolation) else Outcome.NOTHING
