"""Documents of what use cases conclude: PDF reports, exports, and their sending. Draws nothing on screen."""
