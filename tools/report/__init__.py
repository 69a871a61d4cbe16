"""The build report: one page that says what a dataset holds."""
