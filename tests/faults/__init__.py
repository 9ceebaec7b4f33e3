"""Faults against real processes of the product: see README.md."""
