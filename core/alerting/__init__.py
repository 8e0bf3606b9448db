"""How an alert is put into words and carried to people: by mail and by signed webhook. Decides nothing."""
