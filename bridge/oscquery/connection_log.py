"""The log of connections: errors and disconnections of clients are no errors of the server."""

from __future__ import annotations

import logging


def connection_log(parent: logging.Logger) -> logging.Logger:
    """Return a logger below another one that logs every record as one line, at debug level."""
    log = parent.getChild("connections")
    if not any(isinstance(each, _Quiet) for each in log.filters):
        log.addFilter(_Quiet())
    return log


class _Quiet(logging.Filter):
    """Logs every record as one line, at debug level."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record, which is changed."""
        if record.exc_info is not None:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]!r}", ()
            record.exc_info = None
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
