"""Talking to the program under debug."""
