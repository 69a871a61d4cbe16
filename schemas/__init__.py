"""The contract: records, the Arrow schemas derived from them, and reason codes. Imports nothing else of ours."""
