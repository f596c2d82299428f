"""Real telephones: two Asterisk platforms, a core network, customers and agents. ``make telephony`` runs them."""
