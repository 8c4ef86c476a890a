"""A recorded take, given back: what a bag says was done, when each of it is due, and `rena play`."""
