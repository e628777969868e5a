"""Examples' helpers that are no part of the core: game levels and music."""
