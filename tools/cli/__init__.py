"""The command line, thin: it reads arguments, calls the pipeline, and prints."""
