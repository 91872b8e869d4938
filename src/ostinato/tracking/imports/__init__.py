"""Imports: what other trackers have recorded, brought over; so far that of MLflow, from its database or its folders."""
