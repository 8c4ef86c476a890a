"""`rena report`: the paper's experiments, from a frozen plan to tables, plots and plain sentences."""
