"""Helpers without statistics: files, seeds, checks of arguments, tables, progress, shared settings."""
