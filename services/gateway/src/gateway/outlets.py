"""Everything by which changes leave the gateway: the merged feed and its streams, webhooks, the relay. Begun and ended with the app."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.clients.feeds import ServiceFeed
from gateway.clients.jetstream import EventStream
from gateway.clients.receivers import Receivers
from gateway.config import Settings
from gateway.feed import Merged, Streams
from gateway.relay import Relay
from gateway.webhooks import Deliveries, Dispatcher
from shared.db import Database
from shared.identity import Caller

Bearer = Callable[[Caller], str]


class Outlets(Collector):
    """Made by the settings; `bearers` sign for the services by name. `start` opens nothing but what runs by itself."""

    def __init__(self, settings: Settings, db: Database, bearers: Mapping[str, Bearer], log: Any) -> None:
        origins = {"employees": settings.employees_url, "teams": settings.teams_url}
        self.feed = Merged({name: ServiceFeed(origin, bearers[name]) for name, origin in origins.items()}, log)
        self.streams = Streams(settings.feed_streams)
        receivers = Receivers(private=settings.webhook_private)
        self.deliveries = Deliveries(db, receivers, attempts=settings.webhook_attempts, first_pause=settings.webhook_retry)
        self._dispatcher = Dispatcher(db, self.feed, self.deliveries, log)
        stream = EventStream(settings.nats_url, settings.nats_stream, settings.nats_subject) if settings.nats_url else None
        self._relay = Relay(db, self.feed, stream, log) if stream else None

    @property
    def details(self) -> dict[str, Callable[[], Any]]:
        """For /readyz, which does not depend on them."""
        relay = {"relay": self._relay.report} if self._relay else {}
        return {"webhooks": self._dispatcher.report, **relay}

    @property
    def figures(self) -> list[Collector]:
        """What /metrics shows of them."""
        return [self, self._dispatcher, *([self._relay] if self._relay else [])]

    async def start(self) -> None:
        await self._dispatcher.start()
        if self._relay:
            await self._relay.start()

    async def stop(self) -> None:
        """What is under way ends, or will be done once more."""
        await self._dispatcher.stop()
        if self._relay:
            await self._relay.stop()
        await self.feed.stop()

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield GaugeMetricFamily("feed_streams", "Readers to whom changes are streamed.", value=self.streams.open)
