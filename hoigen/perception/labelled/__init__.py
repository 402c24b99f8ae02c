"""Recordings of public data sets and what is true of their hands: perception is measured on what it does not know."""
