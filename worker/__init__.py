"""Celery: the app, tasks that are shells around use cases, the keeper. Loads torch only in its child process."""
