"""What `reconciled init` writes."""
