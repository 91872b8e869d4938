"""Workers: take runs from a server, start a process for each, and see to it until it has ended."""
