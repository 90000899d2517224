"""The contract mutation score: how many faults of a provider's answers at least one contract test catches."""
