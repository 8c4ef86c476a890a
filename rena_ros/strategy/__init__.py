"""The expert strategy (Algorithm 1 of the paper): constraint groups and natural expressions."""
