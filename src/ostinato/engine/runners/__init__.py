"""Where submitted tasks run: one after another, in threads, in processes.

A runner given to `@flow(task_runner=...)` is a description; `open` gives the pool of one flow run.
"""
