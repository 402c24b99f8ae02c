"""Measures: arrays in, numbers out; no learned weights."""
