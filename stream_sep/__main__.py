"""``python -m stream_sep`` is ``stream-sep``."""

from stream_sep.cli import main

if __name__ == "__main__":
    main()
