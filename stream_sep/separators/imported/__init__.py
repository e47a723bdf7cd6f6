"""Reimplemented networks of other projects, for their published weights: masks for vocals and instruments."""
