"""The one query grammar of command line, API and UI: `flow:train state:failed since:24h`."""
