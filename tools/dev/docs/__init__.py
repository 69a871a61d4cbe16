"""Makes the generated parts of `docs/` from the code: tables in the pages, and the list of links to other sites."""
