"""Tracking: experiments, metrics, files, versions of data, models and their registry."""
