"""The routes of the HTTP API, a file for each kind of question. `sigseek.web.app` joins them."""
