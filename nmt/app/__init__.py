"""Floor 9: what the three entry points put together. No ideas of its own."""
