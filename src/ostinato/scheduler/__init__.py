"""The scheduler: makes the runs of schedules, and sees to late runs and silent workers."""
