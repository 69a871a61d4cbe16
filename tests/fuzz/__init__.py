"""Fuzzing of every reader of bytes from outside: `make fuzz`, and a part of it in `make fuzz-quick`."""
