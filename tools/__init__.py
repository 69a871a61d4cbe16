"""What people use: the command line, pictures of samples, verification, benchmarks."""
