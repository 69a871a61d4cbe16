"""What programs write into a table where there is no value."""

NO_VALUES = frozenset({"nan", "NaN", "null", "NULL", "None", "<NA>", "<null>", "NaT", "undefined"})
"""To the letter: there are bakeries called Nan."""
