"""Pages that any browser opens: contact sheets, evaluation reports."""
