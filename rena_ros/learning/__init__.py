"""Training and evaluation of the model that turns readings into goals; the only room that imports torch."""
