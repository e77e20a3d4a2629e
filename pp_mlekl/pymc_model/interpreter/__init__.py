"""Graphs as functions: interpreted first, compiled when it pays."""
