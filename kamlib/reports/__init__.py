"""Results turned into figures, findings and pages."""
