"""Neural networks. Modules receive their parts, do no I/O, choose no device and know no checkpoint's name."""
