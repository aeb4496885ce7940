"""Results turned into figures, findings and pages; notebooks rendered on a schedule."""
