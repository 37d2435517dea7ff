"""Remove one guard at a time and see whether a test notices: `make guards`. docs/testing.md explains it."""
