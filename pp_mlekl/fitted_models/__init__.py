"""How far each fit is from the truth, or from the other fits where no truth is given."""
