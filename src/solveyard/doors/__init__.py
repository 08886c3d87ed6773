"""How people and programs come in: REST, live events, and the dashboard."""
