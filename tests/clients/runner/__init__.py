"""What scripts/demo is made of: nodes, clients, waits, and the table. Python's standard library only."""
