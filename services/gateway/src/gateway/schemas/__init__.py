"""What goes in and out of the gateway's own operations: every field with its bounds."""
