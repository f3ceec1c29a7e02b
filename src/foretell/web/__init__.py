"""The service over HTTP, and the page that it shows; knows no task by name."""
