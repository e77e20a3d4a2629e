"""The gallery: model builders with their data."""
