"""The viewer of a volume: its markup, style and script, and what shows it."""
