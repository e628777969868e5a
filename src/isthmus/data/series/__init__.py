"""Series over time: regular steps, seasonality, windows, and rows of different lengths."""
