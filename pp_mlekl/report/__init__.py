"""Pages, tables and plots of a finished comparison."""
