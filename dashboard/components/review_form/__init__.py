"""The review form of the scan page: letters, grade, words and decisions, by mouse and by keys."""
