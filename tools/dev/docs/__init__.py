"""What `make docs` makes from the code: tables in the pages of `docs/`, and the list of links to other sites."""
