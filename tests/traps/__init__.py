"""Traps that others fell into, each as a test that names it; those of one area stand with its other tests."""
