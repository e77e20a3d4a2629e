"""Pages, tables and plots from a finished comparison."""
