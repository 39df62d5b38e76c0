"""Copies between stores, and the proof that a store is whole."""
