"""trichotrack."""
