"""What holds the services together, as data: pacts, released documents, what differs between two of them, and whom that breaks."""
