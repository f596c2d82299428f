"""Call stores: the memory pool that holds calls and agents' mailboxes [0049]."""
