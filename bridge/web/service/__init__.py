"""The service behind ``stream-sep serve``: people upload songs, play the stems and download them."""
