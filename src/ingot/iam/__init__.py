"""Who may do what: identities, access keys and policy evaluation."""
