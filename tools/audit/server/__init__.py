"""The desk's web server: the page's API, plain pages, and what keeps strangers and hostile text out."""
