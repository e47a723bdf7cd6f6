"""Compiled-code primitives and operating-system calls; nothing here depends on audio."""
