"""Formats of Prophesee cameras."""
