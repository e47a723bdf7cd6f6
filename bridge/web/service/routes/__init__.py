"""The HTTP routes of the service, one noun a module."""
