"""The database of a home, its journal files and stored values: the one way in, and the queries out."""
