"""Datasets: pairs of readings and goals with their pictures, in one folder; written, built, checked, shown, shared."""
