"""Every operation of a service, asked for every answer that its document tells of."""
