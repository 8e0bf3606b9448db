"""The parts of the page Grading: the grader's own list, adjudication, checks of accepted scans, plan and progress."""
