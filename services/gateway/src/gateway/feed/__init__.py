"""The merged feed: both services' changes for whoever reads at the gateway."""

from gateway.feed.merged import EVERYTHING, OWNERS, Batch, Event, Merged
from gateway.feed.stream import Stream, Streams
from gateway.feed.vector import Vector

__all__ = ["EVERYTHING", "OWNERS", "Batch", "Event", "Merged", "Stream", "Streams", "Vector"]
