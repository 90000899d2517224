"""What `/metrics` tells of the way to the services."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.resilience.calls import Calls


class Figures:
    """A collector for prometheus_client: plain integers are counted, and read on a scrape."""

    def __init__(self, calls: Mapping[str, Calls]) -> None:
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        state = GaugeMetricFamily("upstream_breaker_state", "0 closed, 1 half-open, 2 open.", labels=("service", "kind"))
        opened = CounterMetricFamily("upstream_breaker_opened", "How often a breaker has opened.", labels=("service", "kind"))
        again = CounterMetricFamily("upstream_retries", "Requests that were sent a second time.", labels=("service", "reason"))
        busy = GaugeMetricFamily("upstream_requests_in_flight", "Requests under way to a service.", labels=("service", "lane"))
        limits = GaugeMetricFamily("upstream_reads_limit", "Reads that may be under way to a service.", labels=("service",))
        refused = CounterMetricFamily("upstream_refused", "Requests that were not sent.", labels=("service", "reason"))
        for service, calls in self._calls.items():
            for kind, breaker in (("read", calls.reads), ("write", calls.writes)):
                state.add_metric((service, kind), breaker.state.value)
                opened.add_metric((service, kind), breaker.opened)
            again.add_metric((service, "failed"), calls.retries.made)
            again.add_metric((service, "stale"), calls.resent)
            for lane, found in calls.lanes.items():
                busy.add_metric((service, lane), found.busy)
            refused.add_metric((service, "breaker"), calls.reads.refused + calls.writes.refused)
            refused.add_metric((service, "bulkhead"), sum(lane.refused for lane in calls.lanes.values()))
            limits.add_metric((service,), calls.requests.limit.limit)
            refused.add_metric((service, "limit"), calls.requests.limit.refused)
            refused.add_metric((service, "retry-budget"), calls.retries.refused)
        yield from (state, opened, again, busy, limits, refused)
