"""What octaudit knows: the field's terms, measures, scoring, records and use cases. No Celery tasks, no pages."""
