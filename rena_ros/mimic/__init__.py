"""`rena mimic`: start the graph, show it live, write a film and a summary."""
