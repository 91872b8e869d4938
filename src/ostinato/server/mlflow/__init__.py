"""MLflow's REST protocol over the same home: what the unmodified MLflow client needs of a server."""
