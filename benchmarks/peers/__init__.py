"""The servers that the exchange is compared with: each the shortest honest program that does the same work."""
