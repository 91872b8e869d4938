"""MLflow's own tests of its server, run against Ostinato."""
