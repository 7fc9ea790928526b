"""What ``make release`` runs; no part of the package."""
