"""Image work: what a file is, what it looks like, and how alike two pictures are."""
