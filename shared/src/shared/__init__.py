"""What every service of Roster does the same way; it knows no domain."""
