"""The server: one process on a home that answers over HTTP, for its workers, its users and the browser."""
