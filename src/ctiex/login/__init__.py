"""Who may bind: authentication, credentials, secrets."""
