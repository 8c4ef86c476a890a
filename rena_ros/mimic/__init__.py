"""The `rena mimic` run: start the graph, show it live, keep a film and a summary."""
