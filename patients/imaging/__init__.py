"""Detect what an uploaded file is, make its renditions, and measure how alike two pictures are."""
