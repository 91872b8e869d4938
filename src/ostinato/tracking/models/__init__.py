"""Models as folders: written and read with their library's own format, a signature, and hashes of all files."""
