"""Networks of other projects, written anew so that their published weights fit: masks for vocals and instruments."""
