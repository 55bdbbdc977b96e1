"""How the API server is reached: where it is, who we are, and what each request may do."""
